import { charts } from './charts.ts';
import layouts from './layouts.json' with { type: 'json' };
import { place, type Layout } from './place.ts';
import { read } from './read.ts';
import { style } from './style.ts';
import { svgOf } from './svg.ts';

/** The drawings of the machines as they are now, and the style for a page that shows them inline: by the names of their files. */
export async function drawings(): Promise<Map<string, string>> {
  const files = new Map([['chart.css', `${style}\n`]]);
  for (const [name, chart] of Object.entries(charts)) {
    for (const [shape, layout] of Object.entries(layouts[name as keyof typeof layouts])) {
      const placed = await place(read(chart), chart.main, layout as Layout);
      files.set(`${name}-${shape}.svg`, svgOf(chart, placed));
    }
  }
  return files;
}
