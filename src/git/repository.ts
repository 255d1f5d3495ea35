import { join } from 'node:path';
import type { GitPlace } from './place.ts';
import { parseRemote, type RemoteUrl } from './remote-url.ts';

/** One repository on disk (the working copy's, or a submodule's) during one call. */
export interface GitRepository {
  readonly place: GitPlace;
  readonly signal: AbortSignal;
  /** What Huddle is doing, for errors: "asking", "cloning". */
  readonly doing: string;
  readonly remote: RemoteUrl;
  /** Absolute; no link. */
  readonly gitDir: string;
  readonly workTree: string;
  /** Of a worktree: the git directory whose objects, refs and config it shares. */
  readonly shares?: string;
}

/** The app's own repository: `.git` in its local path. */
export function repositoryOf(place: GitPlace, doing: string, signal: AbortSignal): GitRepository {
  return {
    place,
    signal,
    doing,
    remote: parseRemote(place.repository.remotePath),
    gitDir: join(place.repository.localPath, '.git'),
    workTree: place.repository.localPath,
  };
}

/** The same without its work tree, for commands that need none: that folder may not be there yet, and git minds. */
export function storeOf(repository: GitRepository): GitRepository {
  return { ...repository, workTree: repository.gitDir };
}

/** Huddle's folder inside a git directory, which git itself never looks at. */
export function ownFolder(gitDir: string): string {
  return join(gitDir, 'huddle');
}

/** The name of the ref that holds what was fetched of a branch. */
export function trackingRef(place: GitPlace, branch: string): string {
  return `refs/remotes/${place.repository.remote}/${branch}`;
}

/** What Huddle put in place last. */
export const deployedRef = 'refs/huddle/deployed';
/** What was in place before that: kept from `gc`, so that a rollback finds it after a force-push. */
export const previousRef = 'refs/huddle/previous';
/** What is being put in place: there from before the first file is touched until after the last one. */
export const pullingRef = 'refs/huddle/pulling';
/** Below it: what was in the way. */
export const savedRefs = 'refs/huddle/saved';
