import { fonts } from './letters.ts';
import { type } from './place.ts';

/** What a page may set: `--chart-…`; by itself a drawing follows the light or the dark of who looks at it. */
const colours: Readonly<Record<string, readonly [light: string, dark: string]>> = {
  ground: ['#ffffff', '#0d1117'],
  state: ['#f3f5f8', '#1b222c'],
  border: ['#8c959f', '#6e7781'],
  ink: ['#1f2328', '#e6edf3'],
  faint: ['#57606a', '#9ea7b3'],
  line: ['#a2abb5', '#5d6671'],
  main: ['#0757b8', '#6cb0ff'],
  live: ['#0757b8', '#6cb0ff'],
  lit: ['#ffffff', '#0d1117'],
  taken: ['#b35900', '#f0a45d'],
};

/**
 * The style of every drawing. A page that shows one inline lights it by two classes: `live` on the group of a state,
 * `taken` on the groups of ways that have been gone.
 */
export const style = [
  `.chart{${variables(0)};font-family:${fonts};max-width:100%;height:auto}`,
  `@media(prefers-color-scheme:dark){.chart{${variables(1)}}}`,
  '.chart .ground{fill:var(--ground)}',
  `.chart text{font-size:${type.label}px;fill:var(--faint);text-anchor:middle}`,
  '.chart .note{text-anchor:start}',
  '.chart .state rect{fill:var(--state);stroke:var(--border)}',
  `.chart .state text{font-size:${type.state}px;font-weight:600;fill:var(--ink)}`,
  '.chart .choice rect{fill:var(--ground);stroke-dasharray:3 3}',
  '.chart .choice text{font-weight:400}',
  '.chart .line{fill:none;stroke:var(--line)}',
  '.chart .head,.chart circle{fill:var(--line)}',
  '.chart .main .line{stroke:var(--main);stroke-width:2}',
  '.chart .main .head{fill:var(--main)}',
  '.chart .main text{fill:var(--ink)}',
  '.chart .taken .line{stroke:var(--taken);stroke-width:2.5}',
  '.chart .taken .head{fill:var(--taken)}',
  '.chart .taken text{fill:var(--taken)}',
  '.chart .live rect{fill:var(--live);stroke:var(--live)}',
  '.chart .live text{fill:var(--lit)}',
].join('\n');

function variables(scheme: 0 | 1): string {
  return Object.entries(colours)
    .map(([name, schemes]) => `--${name}:var(--chart-${name},${schemes[scheme]})`)
    .join(';');
}
