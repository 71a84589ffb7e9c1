import { Button } from '@/components/ui/button';
import { DropdownMenu, DropdownMenuContent, DropdownMenuItem, DropdownMenuTrigger } from '@/components/ui/dropdown-menu';
import { Input } from '@/components/ui/input';
import { useChatData } from '@chainlit/react-client';
import { BadgeCheck, CalendarDays, ChevronDown, CornerDownRight, Filter, Info, ListOrdered, Loader2, RotateCcw, Sigma } from 'lucide-react';
import { useLayoutEffect, useRef, useState } from 'react';

const ENDED = {
  declined: 'No query was run, and nothing guessed.',
  refused: 'Nothing was run.',
  failed: 'Not answered.',
  stopped: 'Stopped, and the statement in the database with it.'
};

const STAGES = {
  wait: 'Waiting for a turn',
  judge: 'Checking the question',
  find: 'Finding the tables',
  write: 'Writing the SQL',
  check: 'Checking the SQL',
  run: 'Running it',
  tell: 'Telling the answer',
  suggest: 'Next questions',
  explain: 'Looking for the reason'
};

const KINDS = { period: CalendarDays, filter: Filter, measure: Sigma, limit: ListOrdered };

// Chainlit builds an element anew whenever the chat starts or ends a task, so what was opened is remembered here.
function useKept(name, initial) {
  const kept = (window.quaestorKept = window.quaestorKept || {});
  const key = `${props.key}/${name}`;
  const [value, setValue] = useState(key in kept ? kept[key] : initial);
  return [value, (next) => setValue((kept[key] = next))];
}

// For the same reason the keyboard would be back at the page's beginning: what had it gets it again.
function useFocusKept() {
  const root = useRef(null);
  useLayoutEffect(() => {
    const node = root.current;
    if (!node) return undefined;
    const kept = (window.quaestorFocused = window.quaestorFocused || {});
    const parts = () => [...node.querySelectorAll('button, input')];
    const active = () => node.getRootNode().activeElement; // The copilot's page is one within the host's.
    if (!active() || active() === document.body) parts()[kept[props.key]]?.focus({ preventScroll: true });
    delete kept[props.key];
    return () => {
      const place = parts().indexOf(active());
      if (place >= 0) kept[props.key] = place;
    };
  }, []);
  return root;
}

function day(text) {
  return new Date(`${text}T00:00`).toLocaleDateString('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });
}

function span(seconds) {
  if (seconds < 0.001) return '< 1 ms';
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(2)} s`;
}

function summary({ status, asks, seconds, analyst, receipt, tokens, coming }) {
  // What an answer cost is told when its next questions are paid, too.
  const cost = tokens && !coming ? ` · ${tokens.toLocaleString('en-US')} tokens` : '';
  if (asks) return `Asked back, rather than guessed${cost}.`;
  if (ENDED[status]) return ENDED[status];
  const said = [`Answered in ${seconds || 'under 0.01'} s${analyst ? ` by ${analyst === 'offline analyst' ? 'the offline analyst' : analyst}` : ''}`];
  if (receipt?.newest) said.push(`data up to ${day(receipt.newest)}`);
  if (receipt?.names_only) said.push('the model saw names only, no data');
  return said.join(' · ') + cost;
}

function Stage({ stage, detail }) {
  const { loading } = useChatData();
  if (!loading) return <p className="qs-stage qs-quiet">Interrupted. Please ask again.</p>;
  return (
    <p className="qs-stage" role="status">
      <Loader2 className="h-4 w-4 animate-spin" aria-hidden="true" />
      <span>{stage}</span>
      {detail ? <span className="qs-quiet">{detail}</span> : null}
    </p>
  );
}

function Assumed({ kind, text, instead }) {
  const { loading } = useChatData();
  const [open, setOpen] = useKept(`instead of ${text}`, false);
  const Icon = KINDS[kind] || Info;
  const words = (<><Icon className="h-3.5 w-3.5 shrink-0" aria-hidden="true" /><span>{text}</span></>);
  if (!instead.length) return <span className="qs-premise">{words}</span>;
  return (
    <DropdownMenu open={open} onOpenChange={setOpen}>
      <DropdownMenuTrigger asChild>
        <button type="button" className="qs-premise" disabled={loading} title="Ask again with another choice">
          {words}
          <ChevronDown className="h-3.5 w-3.5 shrink-0" aria-hidden="true" />
        </button>
      </DropdownMenuTrigger>
      <DropdownMenuContent align="start" className="qs-instead">
        {instead.map((words) => (
          <DropdownMenuItem key={words} onSelect={() => sendUserMessage(words)}>{words}</DropdownMenuItem>
        ))}
      </DropdownMenuContent>
    </DropdownMenu>
  );
}

function Waterfall({ stages }) {
  const whole = Math.max(...stages.map(({ began, seconds }) => began + seconds), 0.000001);
  return (
    <ol className="qs-waterfall">
      {[...stages].sort((a, b) => a.began - b.began).map(({ name, began, seconds }) => (
        <li key={name}>
          <span>{STAGES[name] || name}</span>
          <span className="qs-track" aria-hidden="true">
            <i style={{ left: `${(100 * began) / whole}%`, width: `${(100 * seconds) / whole}%` }} />
          </span>
          <span className="qs-quiet tabular-nums">{span(seconds)}</span>
        </li>
      ))}
    </ol>
  );
}

function Saving({ turn, question, close, done }) {
  const [words, setWords] = useKept('save-words', question);
  const [trouble, setTrouble] = useKept('save-trouble', '');
  async function save(event) {
    event.preventDefault();
    try {
      const { response } = await callAction({ name: 'save_answer', payload: { turn, question: words } });
      response.trouble ? setTrouble(response.trouble) : done(response.told);
    } catch {
      setTrouble('It could not be saved. Please try again.');
    }
  }
  return (
    <form className="qs-save" onSubmit={save}>
      <label>
        From now on this question is answered with exactly this SQL, marked as reviewed:
        <Input value={words} onChange={(event) => setWords(event.target.value)} autoFocus />
      </label>
      <Button type="submit" disabled={!words.trim()}>Save</Button>
      <Button type="button" variant="ghost" onClick={close}>Cancel</Button>
      {trouble ? <p className="qs-complaint" role="alert">{trouble}</p> : null}
    </form>
  );
}

function Receipt() {
  const { receipt, stages = [], status, save } = props;
  const [open, setOpen] = useKept('receipt', false);
  const [saving, setSaving] = useKept('save', 'offered');
  const [told, setTold] = useKept('save-told', '');
  const part = useRef(null);
  // On a telephone the field for the next question would lie over it. Only when it opens, not when it is built anew.
  function ask() {
    setSaving('asked');
    setTimeout(() => part.current?.querySelector('.qs-save')?.scrollIntoView({ block: 'center' }), 0);
  }
  const tables = (receipt?.tables || []).map(({ name, rows }) => (rows === null ? name : `${name} (${rows.toLocaleString('en-US')} rows)`));
  return (
    <div ref={part} className="qs-paid">
      {receipt?.assumed.length ? (
        <div className="qs-premises" role="group" aria-label="Taken for granted">
          {receipt.assumed.map((assumed) => <Assumed key={assumed.text} {...assumed} />)}
        </div>
      ) : null}
      <p className="qs-receipt qs-quiet">
        {receipt?.trusted ? <span className="qs-trusted"><BadgeCheck className="h-4 w-4" aria-hidden="true" />Reviewed SQL</span> : null}
        <span>{summary(props)}</span>
        {stages.length && !ENDED[status] ? (
          <button type="button" className="qs-more" aria-expanded={open} onClick={() => setOpen(!open)}>
            {open ? 'Less' : 'Details'}
          </button>
        ) : null}
        {save && saving === 'offered' ? (
          <button type="button" className="qs-more" onClick={ask}>Save as reviewed</button>
        ) : null}
        {saving === 'saved' ? (
          <span className="qs-trusted" role="status"><BadgeCheck className="h-4 w-4" aria-hidden="true" />{told || 'Saved as reviewed'}</span>
        ) : null}
      </p>
      {open ? (
        <div className="qs-details">
          {tables.length ? <p className="qs-quiet">Read from {tables.join(', ')}.</p> : null}
          <Waterfall stages={stages} />
        </div>
      ) : null}
      {save && saving === 'asked' ? (
        <Saving {...save} close={() => setSaving('offered')} done={(words) => { setTold(words); setSaving('saved'); }} />
      ) : null}
    </div>
  );
}

function Again({ question }) {
  const { loading } = useChatData();
  return (
    <div className="qs-next">
      <Button variant="outline" disabled={loading} onClick={() => sendUserMessage(question)}>
        <RotateCcw className="h-4 w-4 shrink-0" aria-hidden="true" />
        <span>Ask again</span>
      </Button>
    </div>
  );
}

function Questions({ questions }) {
  const { loading } = useChatData();
  return (
    <div className="qs-next" role="group" aria-label="Next questions">
      {questions.map((question, i) => (
        <Button key={i} variant="outline" disabled={loading} onClick={() => sendUserMessage(question)}>
          <CornerDownRight className="h-4 w-4 shrink-0" aria-hidden="true" />
          <span>{question}</span>
        </Button>
      ))}
    </div>
  );
}

// What comes at once is not announced: public/quaestor.css lets this line wait.
function Coming() {
  return (
    <p className="qs-coming qs-quiet" aria-hidden="true">
      <Loader2 className="h-4 w-4 animate-spin" />
      <span>Next questions</span>
    </p>
  );
}

export default function Next() {
  const root = useFocusKept();
  if (props.stage) return <Stage {...props} />;
  const { status, again, questions = [], coming, notes = [], assumptions = [], analyst, receipt } = props;
  // The chips tell all that the rules take for granted; a model may have taken more.
  const told = analyst === 'offline analyst' && receipt?.assumed.length ? notes : [...notes, ...assumptions];
  return (
    <div ref={root} className={`qs-end qs-${status}`}>
      {told.length ? (
        <p className="qs-assumed text-sm">
          <Info className="h-4 w-4 shrink-0" aria-hidden="true" />
          <span>{told.join(' ')}</span>
        </p>
      ) : null}
      {status === 'greeting' ? null : <Receipt />}
      {again ? <Again question={again} /> : null}
      {questions.length ? <Questions questions={questions} /> : null}
      {coming ? <Coming /> : null}
    </div>
  );
}
