import type { Page } from 'playwright-core';

/**
 * What keeps people from using a page, as far as a program can see it: missing names, wrong order of headings, ink that
 * is too faint for its ground (WCAG 2.2: 1.4.3 and 1.4.11). Empty: nothing.
 */
export async function barriers(page: Page): Promise<string[]> {
  return (await page.evaluate(script)) as string[];
}

/** Runs in the page. */
const script = `(() => {
  const found = [];
  const isShown = (element) => element.checkVisibility({ visibilityProperty: true }) && element.getClientRects().length > 0;
  const told = (element) => element.outerHTML.slice(0, 90).replace(/\\s+/g, ' ');
  const labels = (element) => (element.getAttribute('aria-labelledby') ?? '').split(' ').filter(Boolean);
  const nameOf = (element) => [
    element.getAttribute('aria-label'),
    ...labels(element).map((id) => document.getElementById(id)?.textContent),
    ...[...(element.labels ?? [])].map((label) => label.textContent),
    element.matches('input, select') ? '' : element.textContent,
  ].join('').trim();

  for (const element of document.querySelectorAll('a, button, input, select, summary, dialog, [role=img], [role=log], [role=group], table, section, article'))
    if (nameOf(element) === '') found.push('no name: ' + told(element));
  for (const element of document.querySelectorAll('[aria-labelledby]'))
    for (const id of labels(element)) if (document.getElementById(id) === null) found.push('no element ' + id);
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) found.push('two elements ' + id);
  if (document.documentElement.lang !== 'en') found.push('no language');
  for (const one of ['main', 'h1', 'header'])
    if (document.querySelectorAll(one).length !== 1) found.push(document.querySelectorAll(one).length + ' ' + one);
  let level = 0;
  for (const { tagName } of document.querySelectorAll('h1, h2, h3, h4')) {
    if (Number(tagName[1]) > level + 1) found.push(tagName + ' after h' + level);
    level = Number(tagName[1]);
  }
  if (document.querySelector('[tabindex]:not([tabindex="0"], [tabindex="-1"])')) found.push('an order of its own');
  for (const cell of document.querySelectorAll('tbody tr'))
    if (cell.children.length !== document.querySelectorAll('thead th').length) found.push('cells without a header');

  // -- contrast
  const parts = (colour) => {
    const [r, g, b, a = 1] = (colour.match(/[\\d.]+/g) ?? []).map(Number);
    return { rgb: [r, g, b], a };
  };
  const groundOf = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const { rgb, a } = parts(getComputedStyle(each).backgroundColor);
      if (a === 1) return rgb;
    }
    return [255, 255, 255];
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((each) => each / 255).map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [dark, bright] = [light(one), light(other)].sort((a, b) => a - b);
    return (bright + 0.05) / (dark + 0.05);
  };
  let looked = 0;
  const judge = (what, ink, ground, least) => {
    looked++;
    const ratio = contrast(ink, ground);
    if (ratio < least) found.push(ratio.toFixed(2) + ' is less than ' + least + ': ' + told(what));
  };
  for (const element of document.querySelectorAll('body *')) {
    if (!isShown(element) || element.closest('svg') || element.matches(':disabled, option')) continue;
    const style = getComputedStyle(element);
    const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '');
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (hasText) judge(element, parts(style.color).rgb, groundOf(element), isLarge ? 3 : 4.5);
    if (element.matches('input, select, button:not(.quiet, .sure)'))
      judge(element, parts(style.borderTopColor).rgb, groundOf(element.parentElement), 3);
  }
  const fill = (element) => parts(getComputedStyle(element).fill).rgb;
  for (const text of document.querySelectorAll('svg text')) {
    if (!isShown(text)) continue;
    const ground = text.closest('.state')?.querySelector('rect') ?? text.closest('svg').querySelector('.ground');
    judge(text, fill(text), fill(ground), 4.5);
  }
  for (const sign of document.querySelectorAll('.sign'))
    if (isShown(sign)) judge(sign, parts(getComputedStyle(sign).color).rgb, groundOf(sign), 3);
  for (const line of document.querySelectorAll('.curve .line, .chart .main .line, .chart .taken .line'))
    if (isShown(line)) judge(line, parts(getComputedStyle(line).stroke).rgb, groundOf(line.closest('svg').parentElement), 3);
  if (looked < 20) found.push('only ' + looked + ' contrasts were looked at');
  return found;
})()`;

/** What reaches over the right edge of the window, whether the page could be moved to it or it is cut off there. */
export async function tooWide(page: Page): Promise<string[]> {
  return (await page.evaluate(`[...document.querySelectorAll('body, body *')]
    .filter((element) => element.closest('thead') === null || innerWidth > 700)
    .filter((element) => Math.max(element.getBoundingClientRect().right, document.documentElement.scrollWidth) > innerWidth + 0.5)
    .map((element) => element.outerHTML.slice(0, 90))`)) as string[];
}
