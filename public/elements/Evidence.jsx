import { Tabs, TabsContent, TabsList, TabsTrigger } from '@/components/ui/tabs';
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from '@/components/ui/table';
import { Button } from '@/components/ui/button';
import { Markdown } from '@/components/markdown';
import { useChatData, useChatInteract } from '@chainlit/react-client';
import { ChevronLeft, ChevronRight, Code2, Download, ListChecks, Pencil, Play, Rows3 } from 'lucide-react';
import { Fragment, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';

const ROWS_A_PAGE = 8;
const ROWS_A_LONG_PAGE = 50;

// Text that is longer than its cell is wide opens at a click.
const LONG = 45;

// Chainlit builds an element anew whenever the chat starts or ends a task, so what was opened is remembered here.
function useKept(name, initial) {
  const kept = (window.quaestorKept = window.quaestorKept || {});
  const key = `${props.key}/${name}`;
  const [value, setValue] = useState(key in kept ? kept[key] : initial);
  return [value, (next) => setValue((kept[key] = next))];
}

// For the same reason what had the keyboard gets it again, with what was selected in it.
function useFocusKept() {
  const root = useRef(null);
  useLayoutEffect(() => {
    const node = root.current;
    if (!node) return undefined;
    const kept = (window.quaestorFocused = window.quaestorFocused || {});
    const key = `${props.key}/evidence`;
    const parts = () => [...node.querySelectorAll('button, textarea')];
    const active = () => node.getRootNode().activeElement; // The copilot's page is one within the host's.
    if (kept[key] && (!active() || active() === document.body)) {
      const part = parts()[kept[key].place];
      part?.focus({ preventScroll: true });
      if (part?.setSelectionRange) part.setSelectionRange(...kept[key].selected);
    }
    delete kept[key];
    return () => {
      const place = parts().indexOf(active());
      if (place >= 0) kept[key] = { place, selected: [active().selectionStart, active().selectionEnd] };
    };
  }, []);
  return root;
}

// A fence longer than any run of backticks within keeps the SQL inside its code block.
function fenced(sql) {
  const longest = Math.max(2, ...(sql.match(/`+/g) || []).map((run) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}sql\n${sql}\n${fence}`;
}

function Editing({ sql, leave }) {
  const { disabled, loading } = useChatData();
  const { sendMessage } = useChatInteract();
  const field = useRef(null);
  const [text, setText] = useKept('edited', sql);
  // SQL that failed may be run again as it is: the database may be back.
  const isReady = !disabled && !loading && text.trim() && (props.editing || text.trim() !== sql.trim());
  function run(event) {
    event.preventDefault();
    if (!isReady) return;
    // Asked as any question, which the conversation shows; the SQL stands in the answer.
    const edited = text.trim();
    const asked = props.asked || edited;
    const metadata = { edits: props.turn, sql: edited, asked };
    sendMessage({ threadId: '', name: 'User', type: 'user_message', command: 'Edited SQL', output: asked, metadata });
    setText(sql);
    leave();
  }
  function cancel() {
    setText(sql);
    leave();
  }
  // Caught on its way down: the copilot's widget, within which this may be, would close.
  useEffect(() => {
    function onEscape(event) {
      if (event.key !== 'Escape' || event.isComposing || event.composedPath()[0] !== field.current) return;
      event.stopPropagation();
      cancel();
    }
    window.addEventListener('keydown', onEscape, true);
    return () => window.removeEventListener('keydown', onEscape, true);
  });
  const isApple = /Mac|iPhone|iPad/.test(navigator.userAgent);
  return (
    <form className="qs-edit" onSubmit={run}>
      <textarea
        ref={field}
        aria-label="SQL to run"
        aria-describedby={`${props.key}-keys`}
        value={text}
        rows={text.split('\n').length}
        spellCheck={false}
        autoCapitalize="off"
        autoComplete="off"
        autoCorrect="off"
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => (event.key === 'Enter' && (event.ctrlKey || event.metaKey) ? run(event) : undefined)}
      />
      <Button type="submit" size="sm" disabled={!isReady}>
        <Play className="h-3.5 w-3.5" aria-hidden="true" />
        Run
      </Button>
      <Button type="button" size="sm" variant="ghost" onClick={cancel}>Cancel</Button>
      <span id={`${props.key}-keys`} className="qs-quiet qs-keys">{isApple ? '⌘' : 'Ctrl'}+Enter runs it, Escape leaves it as it was.</span>
    </form>
  );
}

function Sql({ sql }) {
  const [opened, setOpened] = useKept('editing', null);
  const part = useRef(null);
  const isOpen = opened ?? Boolean(props.editing);
  // The keyboard goes along with what is opened and closed by it; the page goes to the answer that is asked for.
  function open(next) {
    setOpened(next);
    setTimeout(() => {
      part.current?.querySelector(next ? 'textarea' : '.qs-more')?.focus({ preventScroll: true });
      part.current?.querySelector('.qs-edit')?.scrollIntoView({ block: 'nearest' });
    }, 0);
  }
  return (
    <div ref={part} className="qs-sql">
      {isOpen ? <Editing sql={sql} leave={() => open(false)} /> : <Markdown>{fenced(sql)}</Markdown>}
      {props.turn && !isOpen ? (
        <button type="button" className="qs-more qs-to-edit" onClick={() => open(true)}>
          <Pencil className="h-3.5 w-3.5" aria-hidden="true" />
          Edit
        </button>
      ) : null}
    </div>
  );
}

// The rows as the database has them, unrounded: the page holds only what is shown.
function Spreadsheet({ sql, reading }) {
  const [trouble, setTrouble] = useState('');
  const [told, setTold] = useState('');
  async function download() {
    try {
      const { response } = await callAction({ name: 'download_rows', payload: { sql } });
      setTrouble(response.trouble || '');
      setTold(response.told || '');
      if (response.trouble) return;
      const packed = Uint8Array.from(atob(response.packed), (letter) => letter.charCodeAt(0));
      const lines = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
      const file = await new Response(lines, { headers: { 'content-type': 'text/csv' } }).blob();
      const link = document.createElement('a');
      link.href = URL.createObjectURL(file);
      link.download = `${(reading || 'rows').replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, '').slice(0, 60)}.csv`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    } catch {
      setTrouble('The rows could not be fetched. Please try again.');
    }
  }
  return (
    <>
      <button type="button" className="qs-more qs-csv" onClick={download}>
        <Download className="h-3.5 w-3.5" aria-hidden="true" />
        CSV
      </button>
      {trouble ? <span className="qs-complaint" role="alert">{trouble}</span> : null}
      {told ? <span role="status">{told}</span> : null}
    </>
  );
}

function LongText({ text }) {
  const [open, setOpen] = useState(false);
  return (
    <button type="button" className="qs-long" aria-expanded={open} title={open ? undefined : text} onClick={() => setOpen(!open)}>
      {text}
    </button>
  );
}

function Cell({ text }) {
  if (text && text.length > LONG) return <LongText text={text} />;
  return text || <span className="qs-quiet">{text === null ? '–' : '(empty)'}</span>;
}

function Rows({ table, sql, reading }) {
  const [page, setPage] = useKept('page', 0);
  const [isLong, setLong] = useKept('long-page', false);
  const height = isLong ? ROWS_A_LONG_PAGE : ROWS_A_PAGE;
  const pages = Math.max(1, Math.ceil(table.cells.length / height));
  const shown = table.cells.slice(page * height, (page + 1) * height);
  function turnLong() {
    // The first row that is seen stays among those that are.
    setPage(Math.floor((page * height) / (isLong ? ROWS_A_PAGE : ROWS_A_LONG_PAGE)));
    setLong(!isLong);
  }
  if (!table.cells.length) return <p className="qs-quiet px-1 py-3">The query ran and found no rows.</p>;
  return (
    <div>
      <div className="rounded-md border overflow-x-auto">
        <Table className="m-0 qs-rows">
          <TableHeader>
            <TableRow>
              {table.columns.map((column, j) => (
                <TableHead key={j} title={column.name} className={column.numeric ? 'text-right' : ''}>
                  {column.label}
                </TableHead>
              ))}
            </TableRow>
          </TableHeader>
          <TableBody>
            {shown.map((cells, i) => (
              <TableRow key={`${page}/${i}`}>
                {cells.map((cell, j) => (
                  <TableCell key={j} className={table.columns[j].numeric ? 'text-right tabular-nums' : ''}>
                    <Cell text={cell} />
                  </TableCell>
                ))}
              </TableRow>
            ))}
          </TableBody>
        </Table>
      </div>
      <div className="flex items-center justify-between pt-2 qs-quiet text-sm">
        <span className="qs-foot">
          <span className="qs-count">{table.note}</span>
          {table.cells.length > 1 ? <Spreadsheet sql={sql} reading={reading} /> : null}
          {table.cells.length > 2 * ROWS_A_PAGE ? (
            <button type="button" className="qs-more" onClick={turnLong}>
              {isLong ? `${ROWS_A_PAGE} a page` : `${Math.min(table.cells.length, ROWS_A_LONG_PAGE)} a page`}
            </button>
          ) : null}
        </span>
        {pages > 1 ? (
          <span className="flex items-center gap-1">
            <Button variant="ghost" size="icon" className="h-7 w-7" aria-label="Previous rows" disabled={page === 0} onClick={() => setPage(page - 1)}>
              <ChevronLeft className="h-4 w-4" />
            </Button>
            <span className="whitespace-nowrap"><span className="qs-page">page </span>{page + 1} of {pages}</span>
            <Button variant="ghost" size="icon" className="h-7 w-7" aria-label="Next rows" disabled={page + 1 === pages} onClick={() => setPage(page + 1)}>
              <ChevronRight className="h-4 w-4" />
            </Button>
          </span>
        ) : null}
      </div>
    </div>
  );
}

function Understood({ tables, attempts, reading, assumptions, seconds }) {
  const failed = attempts.filter((attempt) => attempt.complaint);
  return (
    <dl className="qs-understood text-sm">
      {props.edited && props.asked ? (<><dt>Edited for</dt><dd>{props.asked}</dd></>) : null}
      {reading && !props.edited ? (<><dt>Understood as</dt><dd>{reading}</dd></>) : null}
      {assumptions.length ? (<><dt>Assumed</dt><dd>{assumptions.join(' ')}</dd></>) : null}
      {tables.length ? (
        <>
          <dt>Tables considered</dt>
          <dd className="flex flex-wrap gap-1">
            {tables.map((table) => (
              <span key={table.name} className="qs-chip">
                {table.name}
                {table.rows === null ? null : <span className="qs-quiet"> {table.rows.toLocaleString('en-US')} {table.rows === 1 ? 'row' : 'rows'}</span>}
              </span>
            ))}
          </dd>
        </>
      ) : null}
      {failed.map((attempt, i) => (
        <Fragment key={i}>
          <dt>Attempt {i + 1}</dt>
          <dd>
            <span className="qs-complaint">{attempt.complaint}</span>
            {attempt === attempts[attempts.length - 1] ? null : <pre>{attempt.sql}</pre>}
          </dd>
        </Fragment>
      ))}
      {seconds === undefined ? null : (<><dt>Database time</dt><dd>{seconds < 0.001 ? 'under 1 ms' : `${(seconds * 1000).toFixed(0)} ms`}</dd></>)}
    </dl>
  );
}

export default function Evidence() {
  const root = useFocusKept();
  const { attempts = [], tables = [], assumptions = [], reading, seconds } = props;
  const table = useMemo(() => props.table && JSON.parse(props.table), [props.table]);
  const [tab, setTab] = useKept('tab', null);
  if (!attempts.length) return null;
  const { sql } = attempts[attempts.length - 1];
  return (
    <section ref={root} className="qs-evidence" aria-label="Evidence">
      <Tabs value={tab || (table ? 'rows' : 'sql')} onValueChange={setTab}>
        <TabsList className="h-8">
          {table ? <TabsTrigger value="rows" className="h-6"><Rows3 className="h-4 w-4" />Rows</TabsTrigger> : null}
          <TabsTrigger value="sql" className="h-6"><Code2 className="h-4 w-4" />SQL</TabsTrigger>
          <TabsTrigger value="understood" className="h-6"><ListChecks className="h-4 w-4" />Understood</TabsTrigger>
        </TabsList>
        {table ? <TabsContent value="rows"><Rows table={table} sql={sql} reading={(props.edited && props.asked) || reading} /></TabsContent> : null}
        <TabsContent value="sql"><Sql sql={sql} /></TabsContent>
        <TabsContent value="understood"><Understood {...{ tables, attempts, reading, assumptions, seconds }} /></TabsContent>
      </Tabs>
    </section>
  );
}
