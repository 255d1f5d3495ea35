import type { Context } from 'hono';
import type { Source } from './source.ts';

/** A file of the dashboard: as it has it already, packed, or as it is. */
export async function sendPage(request: Context, source: Source): Promise<Response> {
  const file = await source.page(request.req.path);
  if (file === null) return await request.notFound();
  const { headers, plain, packed } = file;
  const vary = { ...headers, vary: 'accept-encoding' };
  const { etag } = headers;
  if (etag !== undefined && request.req.header('if-none-match') === etag) return request.body(null, 304, vary);
  const isPackable = /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/.test(request.req.header('accept-encoding') ?? '');
  return isPackable
    ? request.body(packed, 200, { ...vary, 'content-encoding': 'gzip' })
    : request.body(plain, 200, vary);
}
