/** Whoever comes without a link brings a token, or pastes the link. */

import { byID, say, write } from './show.js';

export function askForToken(reason) {
  byID('sign-in').hidden = false;
  byID('nothing-open').hidden = true;
  document.body.dataset.pane = 'sign-in';
  document.title = say('title');
  write(byID('sign-in-reason'), reason);
  byID('sign-in').onsubmit = (event) => {
    event.preventDefault();
    const pasted = byID('token').value.trim();
    location.hash = pasted.includes('#') ? pasted.slice(pasted.indexOf('#') + 1) : `token=${encodeURIComponent(pasted)}`;
    location.reload();
  };
}
