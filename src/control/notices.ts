import type { Revision } from '../../machines/facts.ts';
import type { News } from '../../machines/news.ts';
import { because, tell } from './prose.ts';

/** What whoever is notified of an app gets to know. */
export interface Notice {
  readonly event: 'deployed' | 'rejected' | 'rolled back' | 'given up' | 'recovered';
  readonly app: string;
  readonly revision: Revision | null;
  /** What ran before, or what it goes back to. */
  readonly from: Revision | null;
  readonly reason: string;
  /** All of it in one line for people. */
  readonly text: string;
}

/** What is worth a notice: null for all the rest. */
export function noticeOf(app: string, news: News): Notice | null {
  const about = { name: app, localPath: '', tested: false, once: false };
  const notice = (event: Notice['event'], details: Partial<Notice>): Notice => {
    const text = `${app}: ${tell(news, about).text}`;
    return { event, app, revision: null, from: null, reason: '', ...details, text };
  };
  switch (news.type) {
    case 'deployed':
      return notice('deployed', { revision: news.revision, from: news.from });
    case 'rejected':
    case 'kept':
      return notice('rejected', { revision: news.revision, reason: because(news.failure) });
    case 'rolling back':
      return notice('rolled back', {
        revision: news.revision,
        from: news.to,
        reason: news.failure === null ? '' : because(news.failure),
      });
    case 'stayed':
      return notice('rolled back', { revision: news.revision, from: news.at, reason: because(news.failure) });
    case 'program given up':
      return notice('given up', { reason: because(news.failure) });
    case 'program recovered':
      return notice('recovered', { revision: news.revision });
    default:
      return null;
  }
}
