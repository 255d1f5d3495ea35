import { extname, join } from 'node:path';

/**
 * The path of a module of Huddle's own that runs as a process or a thread of its own, by its name from `src` on, without
 * extension: of the source, or of the file that the build makes of it. Every file of a build is as deep as this one.
 */
export const ownFile = (name: string): string => join(import.meta.dirname, '..', name + extname(import.meta.filename));
