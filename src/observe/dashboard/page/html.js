import { h } from 'preact';
import htm from 'htm';

/** Elements from a template, with no compiler in between; what is filled in is text, never HTML. */
export const html = htm.bind(h);
