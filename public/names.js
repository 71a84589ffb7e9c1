// Names for what Chainlit shows as an icon only: a screen reader would say no more than "button".
(() => {
  const NAMES = {
    '#new-chat-button': 'New chat',
    '#chat-submit': 'Send',
    '#stop-button': 'Stop',
    '#sidebar-trigger-button': 'Show or hide the chats',
    '#search-chats-button': 'Search the chats',
    '#user-nav-button': 'Account',
    '#thread-options': 'Options of this chat',
    ':has(> .lucide-eye)': 'Show the password',
    ':has(> .lucide-eye-off)': 'Hide the password',
    '.edit-message': 'Edit the question',
    '[class*=positive-feedback]': 'Good answer',
    '[class*=negative-feedback]': 'Bad answer',
    '.qs-sql :has(> .lucide-copy)': 'Copy the SQL',
    ':has(> .lucide-copy)': 'Copy the answer',
    ':has(> .lucide-arrow-down)': 'Go to the end'
  };
  const OURS = new Set(Object.values(NAMES));
  const hasItsOwn = (button) => button.textContent.trim() || !(OURS.has(button.ariaLabel) || button.ariaLabel === null);

  // One button can become another: Send is Stop while an answer comes.
  const nameButton = (button) => {
    const selector = hasItsOwn(button) ? undefined : Object.keys(NAMES).find((s) => button.matches(s));
    if (selector && button.ariaLabel !== NAMES[selector]) button.ariaLabel = NAMES[selector];
  };
  // The logo, and the icon before a starter's own words, say nothing of their own.
  const hush = (image) => image.setAttribute('alt', '');

  const setRole = (selector, role) => document.querySelector(selector)?.setAttribute('role', role);
  const nameParts = () => {
    setRole('#thread-options', 'button');
    if (document.querySelector('main')) return; // Beside the list of chats Chainlit has one.
    setRole('#header', 'banner');
    setRole('#header + div', 'main');
    setRole('.min-h-svh:has(#password)', 'main');
  };

  const nameAll = (root) => {
    if (root.matches?.('button')) nameButton(root);
    root.querySelectorAll('button, #thread-options').forEach(nameButton);
    root.querySelectorAll('img:not([alt]), #starters img:not([alt=""])').forEach(hush);
    nameParts();
  };

  // Chainlit draws its parts anew: each is looked at when it comes onto the page, or becomes another.
  new MutationObserver((changes) => {
    const changed = changes.filter((change) => change.addedNodes.length).map((change) => change.target);
    new Set(changed).forEach(nameAll);
    changes.filter((change) => change.type === 'attributes' && change.target.matches('button')).forEach((change) => nameButton(change.target));
  }).observe(document.body, { childList: true, subtree: true, attributeFilter: ['id'] });
  nameAll(document);
})();
