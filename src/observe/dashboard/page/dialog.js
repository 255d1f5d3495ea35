import { useEffect, useRef } from 'preact/hooks';
import { html } from './html.js';

/**
 * A dialog that is open for as long as it is there; the browser keeps the focus in it and gives it back afterwards.
 *
 * @param {{ title: string, onClose: () => void, children?: unknown }} props
 */
export function Dialog({ title, onClose, children }) {
  /** @type {{ current: HTMLDialogElement | null }} */
  const element = useRef(null);
  useEffect(() => {
    const dialog = element.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return html`
    <dialog ref=${element} aria-labelledby="dialog-title" onClose=${onClose}>
      <h2 id="dialog-title">${title}</h2>
      ${children}
    </dialog>
  `;
}
