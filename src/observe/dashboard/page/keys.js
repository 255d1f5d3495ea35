import { useEffect, useRef, useState } from 'preact/hooks';
import { Dialog } from './dialog.js';
import { html } from './html.js';

const setting = 'huddle.keys';

/** Who speaks to the computer presses keys without wanting to: they can be turned off (WCAG 2.1.4). */
function areOn() {
  return localStorage.getItem(setting) !== 'off';
}

/**
 * Acts on single keys while a component is there: not while somebody types, nor under an open dialog.
 *
 * @param {Readonly<Record<string, () => void>>} shortcuts by `KeyboardEvent.key`
 */
export function useShortcuts(shortcuts) {
  const current = useRef(shortcuts);
  current.current = shortcuts;
  useEffect(() => {
    const press = (/** @type {KeyboardEvent} */ event) => {
      const { key, target, ctrlKey, altKey, metaKey, isComposing } = event;
      const act = current.current[key];
      if (act === undefined || ctrlKey || altKey || metaKey || isComposing || event.defaultPrevented) return;
      const isOff = !areOn() && key.length === 1;
      const isTyping = target instanceof Element && target.closest('input, select, textarea') !== null;
      if (isOff || (isTyping && key !== 'Escape') || document.querySelector('dialog[open]') !== null) return;
      event.preventDefault();
      act();
    };
    document.addEventListener('keydown', press);
    return () => document.removeEventListener('keydown', press);
  }, []);
}

/** @type {readonly (readonly [keys: string, meaning: string])[]} */
const meanings = [
  ['/', 'filter the apps'],
  ['j  k', 'next, previous app'],
  ['Enter', 'open the app'],
  ['Esc', 'back to all apps'],
  ['c', 'check now'],
  ['d', 'deploy'],
  ['b', 'roll back'],
  ['r', 'restart'],
  ['p', 'pause, resume'],
  ['s', 'stop, start'],
  ['?', 'this list'],
];

/** @param {{ onClose: () => void }} props */
export function KeyList({ onClose }) {
  const [isOn, setOn] = useState(areOn);
  const toggle = () => {
    localStorage.setItem(setting, isOn ? 'off' : 'on');
    setOn(!isOn);
  };
  return html`
    <${Dialog} title="Keys" onClose=${onClose}>
      <dl class="keys">
        ${meanings.map(
          ([keys, meaning]) =>
            html`<div>
              <dt><kbd>${keys}</kbd></dt>
              <dd>${meaning}</dd>
            </div>`,
        )}
      </dl>
      <label class="check"><input type="checkbox" checked=${isOn} onChange=${toggle} /> Single keys act</label>
      <p class="answers"><button type="button" onClick=${onClose}>Close</button></p>
    <//>
  `;
}
