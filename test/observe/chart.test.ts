import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { charts } from '../docs/chart/charts.ts';
import { drawings } from '../docs/chart/draw.ts';
import { crossings, flaws, seen } from '../docs/chart/flaws.ts';
import { read } from '../docs/chart/read.ts';

const folder = join(import.meta.dirname, '..', '..', 'src', 'observe', 'chart');
const names = Object.keys(charts).flatMap((name) => [`${name}-wide.svg`, `${name}-narrow.svg`]);

/** What ships, whatever line ends this checkout has. */
function shipped(name: string): string {
  return readFileSync(join(folder, name), 'utf8').replaceAll('\r\n', '\n');
}

/** A drawing with one thing moved or changed. */
function spoilt(what: RegExp, by: (...found: string[]) => string): string[] {
  const sound = shipped('app-wide.svg');
  const changed = sound.replace(what, by);
  assert.notEqual(changed, sound, 'nothing has been spoilt');
  return flaws(seen(changed));
}

suite('The statecharts', () => {
  test('are those of the machines', async () => {
    const drawn = await drawings();
    assert.deepEqual([...drawn.keys()].toSorted(), ['chart.css', ...names].toSorted());
    for (const [name, text] of drawn) assert.equal(shipped(name), text, `${name} is stale: run \`npm run docs\``);
  });

  for (const name of names) {
    test(`${name}: no label overlaps another, no edge crosses a label or a state or runs into another edge`, () => {
      assert.deepEqual(flaws(seen(shipped(name))), []);
    });

    test(`${name}: edges cross each other hardly ever, and all that is drawn has been looked at`, () => {
      const drawing = seen(shipped(name));
      const { states, ways } = read(charts[name.split('-')[0] ?? ''] ?? assert.fail());
      assert.ok(crossings(drawing) <= 4, `${crossings(drawing)} crossings`);
      assert.equal(drawing.states.length, states.length);
      assert.equal(drawing.lines.length, ways.length + 1, 'the ways, and the one from the dot');
      assert.ok(drawing.labels.length >= ways.flatMap(({ labels }) => labels).length);
      assert.ok(drawing.lines.every(({ segments }) => segments.length > 0));
    });

    test(`${name}: is small, and takes every colour from its style`, () => {
      const svg = shipped(name);
      assert.ok(Buffer.byteLength(svg) <= 25_000, `${Buffer.byteLength(svg)} bytes`);
      const drawn = svg.replace(/<style>[^]*?<\/style>/, '');
      assert.doesNotMatch(drawn, /#|rgb|hsl|fill=|stroke=|style=|url\(/);
      assert.doesNotMatch(drawn, /\bid="/, 'two drawings on one page must not share an id');
    });
  }

  test('fit a phone without being made smaller, and a page of text', () => {
    for (const name of names) {
      const { width } = seen(shipped(name)).sheet;
      assert.ok(width <= (name.endsWith('narrow.svg') ? 328 : 960), `${name} is ${width} px wide`);
    }
  });

  test('of an app show every state that the contract names, and say of each way what leads there', () => {
    const { states, ways } = read(charts['app'] ?? assert.fail());
    const named = 'cloning testing running checking stopping pulling restarting waiting stopped'.split(' ');
    assert.deepEqual(states.toSorted(), named.toSorted());
    assert.deepEqual(
      ways.filter(({ labels }) => labels.length === 0),
      [],
    );
  });

  test('of a program show every state that the contract names, and the one in which it has ended', () => {
    const { states } = read(charts['program'] ?? assert.fail());
    const named = ['starting', 'up', 'backing off', 'stopping', 'down', 'given up'];
    assert.deepEqual(states.toSorted(), [...named, 'ended'].toSorted());
  });
});

suite('The look at a drawing', () => {
  test('finds a label on another', () => {
    const [, x = '', y = ''] = /<text x="(\S+)" y="(\S+)">pending</.exec(shipped('app-wide.svg')) ?? [];
    const found = spoilt(/<text x="\S+" y="\S+">passed</, () => `<text x="${x}" y="${y}">passed<`);
    assert.ok(
      found.some((flaw) => /'passed' of testing > stopping overlaps|overlaps 'passed'/.test(flaw)),
      found.join('\n'),
    );
  });

  test('finds an edge through a label, a state and another edge', () => {
    const [, x = '', y = ''] = /data-state="testing"><rect x="(\S+)" y="(\S+)"/.exec(shipped('app-wide.svg')) ?? [];
    const found = spoilt(
      /(data-from="stopped" data-to="cloning".*?class="line" d=")[^"]*/,
      (_all, begin) => `${begin}M0 ${Number(y) + 9}L900 ${Number(y) + 9}L900 0L${Number(x) + 9} 0L${Number(x) + 9} 400`,
    );
    assert.ok(found.includes('the line stopped > cloning crosses testing'), found.join('\n'));
    assert.ok(
      found.some((flaw) => /stopped > cloning crosses '/.test(flaw)),
      found.join('\n'),
    );
    assert.ok(
      found.some((flaw) => /run into each other/.test(flaw)),
      found.join('\n'),
    );
  });

  test('finds what leaves the sheet', () => {
    const found = spoilt(/(data-state="waiting"><rect x=")\S+"/, (_all, begin) => `${begin}2000"`);
    assert.ok(found.includes('waiting leaves the sheet'), found.join('\n'));
  });
});
