// Puts Quaestor's chat into a page of another server; docs/copilot.md says how.
(() => {
  const { src, dataset } = document.currentScript;
  const quaestor = new URL(src).origin;

  const AGAIN = 30_000; // Milliseconds between two tries to renew a login.

  const call = (path, options) => fetch(quaestor + path, { credentials: 'include', ...options });

  /** What a person is told who cannot be let in. */
  class Trouble extends Error {}

  /** Log in, where Quaestor wants it, and return the token; before the widget, which would learn of it seconds later. */
  async function logIn() {
    const answer = await call('/auth/config').catch(() => {
      throw new Trouble(`Quaestor does not answer this page. It must be running, and name ${location.origin} in QUAESTOR_ALLOW_ORIGINS.`);
    });
    if (!(await answer.json()).requireLogin) return undefined;
    const token = dataset.token && (await tokenOfThisPage());
    if (token) await show(token);
    if (!(await call('/user')).ok) {
      throw new Trouble(
        token
          ? 'Your browser does not keep the login to Quaestor, because it comes from another site. Allow its cookies for this page, then reload it.'
          : `Log in at ${quaestor} first, then reload this page.`
      );
    }
    return token;
  }

  /** Return the token that this page's own server has signed for the person who looks at it. */
  async function tokenOfThisPage() {
    const answer = await fetch(dataset.token).catch(() => undefined);
    const token = answer?.ok && (await answer.text()).trim();
    // Where the page's own login has ended, its server may well send a whole page of HTML.
    if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) return token;
    throw new Trouble('This page could not log you in to Quaestor. Log in to the page again, then reload it.');
  }

  /** Trade the token for Quaestor's cookie; another person's conversation is none to go on with. */
  async function show(token) {
    const answer = await call('/auth/jwt', { method: 'POST', headers: { Authorization: `Bearer ${token}` } });
    const told = await answer.json();
    if (!answer.ok) throw new Trouble(told.detail);
    const person = read(token).identifier;
    if (localStorage.getItem('quaestor-person') !== person) localStorage.removeItem('chainlit-copilot-thread-id');
    localStorage.setItem('quaestor-person', person);
  }

  const read = (token) => JSON.parse(atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/')));

  /** Keep the person logged in for as long as the page's own server does: the login ends when its token does. */
  function stayLoggedIn(token) {
    const { identifier } = read(token);
    const halfway = (token) => Date.now() + Math.max((read(token).exp * 1000 - Date.now()) / 2, AGAIN);
    let due = halfway(token);
    // It looks at the time: while a computer sleeps, timers do not run.
    setInterval(async () => {
      if (Date.now() < due) return;
      due = Date.now() + AGAIN;
      const next = await tokenOfThisPage().catch(() => undefined);
      // Another person gets a chat of their own when the page is loaded anew.
      if (next && read(next).identifier === identifier) await show(next).then(() => (due = halfway(next)), () => {});
    }, 1000);
  }

  function load() {
    return new Promise((loaded, failed) => {
      const script = document.createElement('script');
      script.src = quaestor + '/copilot/index.js';
      script.onload = loaded;
      script.onerror = () => failed(new Trouble('The chat could not be loaded. Reload this page.'));
      document.body.append(script);
    });
  }

  async function mount(accessToken) {
    // A WebSocket at once, as on Quaestor's own page.
    window.transports ??= ['websocket'];
    window.mountChainlitWidget({
      chainlitServer: quaestor,
      accessToken,
      theme: dataset.theme ?? 'light',
      language: 'en-US',
      customCssUrl: quaestor + '/public/quaestor.css',
    });
    while (!window.toggleChainlitCopilot) await new Promise(requestAnimationFrame);
  }

  /** Show the widget's button all the same, which then says what is wrong. */
  function explain(sentence) {
    const button = document.createElement('button');
    const note = document.createElement('div');
    button.type = 'button';
    button.textContent = '?';
    button.ariaLabel = 'Why Quaestor cannot be asked';
    button.style = 'position:fixed;right:2rem;bottom:2rem;width:4rem;height:4rem;border:0;border-radius:50%;background:#7b6c61;color:#fff;font:1.75rem system-ui;cursor:pointer';
    note.role = 'alert';
    note.hidden = true;
    note.style = 'position:fixed;right:2rem;bottom:7rem;width:min(20rem,80vw);padding:1rem;border:1px solid #ccc;border-radius:.7rem;background:#fff;color:#222;font:1rem/1.5 system-ui';
    window.toggleChainlitCopilot = () => {
      note.hidden = !note.hidden;
      note.textContent = sentence;
    };
    button.onclick = () => window.toggleChainlitCopilot();
    document.body.append(note, button);
  }

  async function start() {
    try {
      const [token] = await Promise.all([logIn(), load()]);
      await mount(token);
      if (token) stayLoggedIn(token);
    } catch (error) {
      if (!(error instanceof Trouble)) console.error(error);
      explain(error instanceof Trouble ? error.message : 'Quaestor cannot be asked here just now. Reload this page.');
    }
    window.dispatchEvent(new Event('quaestor-ready'));
  }

  // The script may stand in the page's head, where there is nothing yet to put a button in.
  if (document.body) start();
  else addEventListener('DOMContentLoaded', start);
})();
