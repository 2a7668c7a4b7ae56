// Asks for a token and connects with it. It is kept in this tab alone, and never in an address.
import { Sluice } from '/sluice.js';

/** Begins at once where the tab has a token, and else when the form #sign-in is sent. */
export function connect(begin) {
  const form = document.querySelector('#sign-in');
  const note = document.querySelector('#note');
  const open = (token) => {
    form.hidden = true;
    note.textContent = '';
    // Without a token, the broker must have auth = none.
    const client = new Sluice(location.origin, { token: token || undefined });
    begin(client, (error) => {
      client.close();
      note.textContent = error.message;
      form.hidden = false;
      if (error.code === 'unauthorized') sessionStorage.removeItem('token');
    });
  };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const token = form.elements.token.value.trim();
    sessionStorage.setItem('token', token);
    form.reset();
    open(token);
  });
  const kept = sessionStorage.getItem('token');
  if (kept !== null) open(kept);
}

/** An element with a text, which is never read as HTML. */
export function element(name, text, className = '') {
  return Object.assign(document.createElement(name), { textContent: text, className });
}
