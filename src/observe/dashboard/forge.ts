/** Forges by their own names, and by those that people give to theirs (`gitlab.example.org`); where they show a commit. */
const forges: readonly (readonly [host: RegExp, commit: string])[] = [
  [/^(www\.)?github\.com$|^github\./, 'commit'],
  [/^(www\.)?gitlab\.com$|^gitlab\./, '-/commit'],
  [/^(www\.)?bitbucket\.org$/, 'commits'],
  [/^codeberg\.org$|^gitea\.|^forgejo\./, 'commit'],
  [/^git\.sr\.ht$/, 'commit'],
];

/**
 * The address of a commit's page at the forge of a remote, with `{revision}` in its place; null where the remote is at no
 * forge that is known. `remote` holds no credentials.
 */
export function commitPage(remote: string): string | null {
  const { scheme, host, path } = partsOf(remote);
  const forge = forges.find(([known]) => known.test(host.replace(/:\d+$/, '')));
  const project = path.replace(/^\/+|\/+$/g, '').replace(/\.git$/, '');
  // A project has an owner; nothing in its name needs to be written in another way.
  if (forge === undefined || !/^[\w.~-]+(\/[\w.~-]+)+$/.test(project)) return null;
  return `${scheme}://${host}/${project}/${forge[1]}/{revision}`;
}

/** As a browser would go there: pages are not on the port of ssh. */
function partsOf(remote: string): { readonly scheme: string; readonly host: string; readonly path: string } {
  const [, scheme = '', host = '', path = ''] = /^([a-z+]+):\/\/([^/]*)(\/.*)$/i.exec(remote) ?? [];
  if (scheme === 'https' || scheme === 'http') return { scheme, host: host.toLowerCase(), path };
  if (scheme === 'ssh' || scheme === 'git')
    return { scheme: 'https', host: host.replace(/:\d+$/, '').toLowerCase(), path };
  const [, scpHost = '', scpPath = ''] = /^([\w.-]+):(?!\/\/)(.+)$/.exec(remote) ?? [];
  return { scheme: 'https', host: scpHost.toLowerCase(), path: scpPath };
}
