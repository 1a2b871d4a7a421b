/** With whom to begin: one user is a C2C conversation, several are a group. */

import { byID, say, write } from './show.js';

const USER_ID = /^(?!\.\.?$)[A-Za-z0-9_\-.@#]{1,32}$/;

/** The conversation to go to, once it is there; null if the user thinks better of it. */
export function askWithWhom(client) {
  const [dialog, withWhom, problem] = [byID('new-chat-form'), byID('with'), byID('new-chat-error')];
  const form = dialog.querySelector('form');
  let begun = null;
  write(problem, '');
  form.onsubmit = async (event) => {
    event.preventDefault();
    const users = withWhom.value.split(/[\s,\uff0c\u3001]+/).filter(Boolean);
    if (!users.length || !users.every((user) => USER_ID.test(user) && user !== client.userID)) {
      write(problem, say('notAnID'));
      return;
    }
    try {
      begun = users.length === 1 ? `c2c_${users[0]}` : await newGroup(client, users);
      form.reset();
      dialog.close();
    } catch (error) {
      write(problem, error.desc);
    }
  };
  byID('new-chat-cancel').onclick = () => dialog.close();
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener('close', () => resolve(begun), { once: true }));
}

async function newGroup(client, memberList) {
  const { groupID } = await client.createGroup({ groupType: 'Work', name: byID('group-name').value, memberList });
  return `group_${groupID}`;
}
