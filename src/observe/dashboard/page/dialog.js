import { useEffect, useRef } from 'preact/hooks';
import { html } from './html.js';

/**
 * A dialog that is open for as long as it is there; the browser keeps the focus in it. Afterwards it is
 * where it was; the browser would see to that as well, were the dialog not gone before it is closed.
 *
 * @param {{ title: string, onClose: () => void, children?: unknown }} props
 */
export function Dialog({ title, onClose, children }) {
  /** @type {{ current: HTMLDialogElement | null }} */
  const element = useRef(null);
  useEffect(() => {
    const before = document.activeElement;
    element.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return html`
    <dialog ref=${element} aria-labelledby="dialog-title" onClose=${onClose}>
      <h2 id="dialog-title">${title}</h2>
      ${children}
    </dialog>
  `;
}
