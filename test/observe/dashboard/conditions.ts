import type { Page } from 'playwright-core';
import type { AppStatus } from '../../../src/control/status.ts';
import { appStatus } from '../../control/fake-source.ts';

/** Said in hours: the same however long the page takes to open. */
const soon = () => new Date(Date.now() + 2 * 3_600_000).toISOString();
const down: AppStatus['program'] = { state: 'down', pid: null, since: null, restarts: 0, adopted: false };

/** An app for every condition that there is. */
export function conditions(): AppStatus[] {
  const error = {
    code: 'remote-unreachable',
    message: 'asking https://example.org/a-very-long-name/of-a-repository/that-does-not-break.git: no route to host',
    hint: 'Huddle tries again.',
  } as const;
  return [
    appStatus('api', { nextCheck: soon() }),
    appStatus('blog', { state: 'testing', previous: 'a'.repeat(40) }),
    appStatus('cart', { error, nextCheck: soon() }),
    appStatus('docs', { state: 'stopped', program: down, health: 'unknown', nextCheck: null }),
    appStatus('edge', { paused: true, pinned: true, nextCheck: null }),
    appStatus('feed', { program: { ...down, state: 'given up', restarts: 5 }, health: 'unknown' }),
    appStatus('gate', { health: 'unhealthy' }),
    appStatus('hall', { state: 'waiting', revision: null, program: down, health: 'unknown', error }),
    appStatus('an-app-whose-name-is-longer-than-any-name-should-be-on-a-phone', {
      program: { ...down, state: 'backing off' },
    }),
  ];
}

/** The apps that the page lists, in its order. */
export const names = (page: Page) => page.locator('.apps td.name a').allTextContents();
