import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from '@/components/ui/table';
import { ChevronRight, Footprints, Loader2 } from 'lucide-react';
import { Fragment, useEffect, useState } from 'react';

const ROWS_SHOWN = 5;

// Chainlit builds an element anew whenever the chat starts or ends a task, so what was opened is remembered here.
const kept = (window.quaestorKept = window.quaestorKept || {});

function useKept(name, initial) {
  const key = `${props.key}/${name}`;
  const [value, setValue] = useState(key in kept ? kept[key] : initial);
  return [value, (next) => setValue((kept[key] = next))];
}

// One request for all who wait for it: an element that is built anew meanwhile waits for the same one.
function loaded() {
  const key = `${props.key}/steps-loading`;
  kept[key] = kept[key] || load().finally(() => delete kept[key]);
  return kept[key];
}

async function load() {
  try {
    const { response } = await callAction({ name: 'break_down', payload: { sql: props.sql } });
    return response;
  } catch {
    return { trouble: 'The steps could not be loaded. Please try again.' };
  }
}

function Rows({ columns, cells }) {
  return (
    <div className="rounded-md border overflow-x-auto">
      <Table className="m-0 qs-rows">
        <TableHeader>
          <TableRow>
            {columns.map((column, j) => (
              <TableHead key={j} title={column.name} className={column.numeric ? 'text-right' : ''}>{column.label}</TableHead>
            ))}
          </TableRow>
        </TableHeader>
        <TableBody>
          {cells.slice(0, ROWS_SHOWN).map((row, i) => (
            <TableRow key={i}>
              {row.map((cell, j) => (
                <TableCell key={j} title={cell || undefined} className={columns[j].numeric ? 'text-right tabular-nums' : ''}>
                  {cell || <span className="qs-quiet">{cell === null ? '–' : '(empty)'}</span>}
                </TableCell>
              ))}
            </TableRow>
          ))}
        </TableBody>
      </Table>
    </div>
  );
}

// What a step goes on from, where that is not the one right before it.
function From({ number, takes }) {
  if (takes.length !== 1 || takes[0] === number - 1) return null;
  return <span className="qs-quiet"> From step {takes[0]}.</span>;
}

function Step({ number, words, takes, rows, table, sql, trouble }) {
  const [open, setOpen] = useKept(`step-${number}`, false);
  const more = table && table.cells.length > ROWS_SHOWN;
  return (
    <li className="qs-step">
      <p>{words}<From number={number} takes={takes} /></p>
      {trouble ? <p className="qs-complaint">{trouble}</p> : null}
      {table?.cells.length ? <Rows {...table} /> : null}
      <p className="qs-step-foot">
        <span className="qs-step-rows">{rows}</span>
        {more ? <span className="qs-quiet">the first {ROWS_SHOWN} shown</span> : null}
        <button type="button" className="qs-more" aria-expanded={open} onClick={() => setOpen(!open)}>SQL</button>
      </p>
      {open ? <pre>{sql}</pre> : null}
    </li>
  );
}

// The heading of the steps that belong to one part of the query.
function part(step, before) {
  if (before ? step.part === before.part : !step.part) return null;
  if (!step.part) return 'The query itself';
  return step.part === 'on the side' ? 'First, on the side' : `“${step.part}”`;
}

function Steps({ steps }) {
  return (
    <ol className="qs-steps" aria-label="Steps">
      {steps.map((step, i) => {
        const heading = part(step, steps[i - 1]);
        return (
          <Fragment key={i}>
            {heading ? <li className="qs-part qs-quiet">{heading}</li> : null}
            <Step number={i + 1} {...step} />
          </Fragment>
        );
      })}
    </ol>
  );
}

export default function Breakdown() {
  const [open, setOpen] = useKept('steps-open', false);
  const [told, setTold] = useKept('steps', null);
  useEffect(() => {
    if (!open || told) return;
    let gone = false;
    loaded().then((response) => gone || setTold(response || { trouble: 'The steps could not be loaded. Please try again.' }));
    return () => { gone = true; };
  }, [open, told]);
  function toggle() {
    if (open && told?.trouble) setTold(null); // The next look asks again.
    setOpen(!open);
  }
  return (
    <section className="qs-breakdown" aria-label="How this was worked out">
      <button type="button" className="qs-ask-steps" aria-expanded={open} onClick={toggle}>
        <Footprints className="h-4 w-4 shrink-0" aria-hidden="true" />
        How was this worked out?
        <ChevronRight className={`h-4 w-4 shrink-0 ${open ? 'rotate-90' : ''}`} aria-hidden="true" />
      </button>
      {open && !told ? (
        <p className="qs-steps-wait qs-quiet" role="status">
          <Loader2 className="h-4 w-4 animate-spin" aria-hidden="true" />
          Running each step
        </p>
      ) : null}
      {open && told?.trouble ? <p className="qs-complaint">{told.trouble}</p> : null}
      {open && told?.steps ? <Steps steps={told.steps} /> : null}
    </section>
  );
}
