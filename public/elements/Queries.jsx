import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from '@/components/ui/table';
import { ChevronRight } from 'lucide-react';
import { useMemo, useState } from 'react';

const ROWS_SHOWN = 12;

// Chainlit builds an element anew whenever the chat starts or ends a task, so what was opened is remembered here.
function useKept(name, initial) {
  const kept = (window.quaestorKept = window.quaestorKept || {});
  const key = `${props.key}/${name}`;
  const [value, setValue] = useState(key in kept ? kept[key] : initial);
  return [value, (next) => setValue((kept[key] = next))];
}

function Rows({ text }) {
  const table = useMemo(() => JSON.parse(text), [text]);
  if (!table.cells.length) return null;
  const shown = table.cells.slice(0, ROWS_SHOWN);
  return (
    <div className="rounded-md border overflow-x-auto">
      <Table className="m-0 qs-rows">
        <TableHeader>
          <TableRow>
            {table.columns.map((column, j) => (
              <TableHead key={j} title={column.name} className={column.numeric ? 'text-right' : ''}>{column.label}</TableHead>
            ))}
          </TableRow>
        </TableHeader>
        <TableBody>
          {shown.map((cells, i) => (
            <TableRow key={i}>
              {cells.map((cell, j) => (
                <TableCell key={j} title={cell || undefined} className={table.columns[j].numeric ? 'text-right tabular-nums' : ''}>
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

function Query({ number, why, sql, table, count, complaint }) {
  const [open, setOpen] = useKept(`query-${number}`, false);
  const hidden = table ? JSON.parse(table).cells.length - ROWS_SHOWN : 0;
  return (
    <li className="qs-query">
      <button type="button" aria-expanded={open} onClick={() => setOpen(!open)}>
        <ChevronRight className={`h-4 w-4 shrink-0 ${open ? 'rotate-90' : ''}`} aria-hidden="true" />
        <span className="qs-number">({number})</span>
        <span>{why || 'A query'}</span>
        <span className={complaint ? 'qs-complaint' : 'qs-quiet'}>{complaint ? 'did not run' : count}</span>
      </button>
      {open ? (
        <div className="qs-found">
          {complaint ? <p className="qs-complaint">{complaint}</p> : null}
          {table ? <Rows text={table} /> : null}
          {hidden > 0 ? <p className="qs-quiet">and {hidden.toLocaleString('en-US')} more</p> : null}
          <pre>{sql}</pre>
        </div>
      ) : null}
    </li>
  );
}

export default function Queries() {
  const queries = [...(props.queries || [])].sort((a, b) => a.number - b.number);
  if (!queries.length) return null;
  return (
    <section className="qs-queries" aria-label="Queries">
      <ol>
        {queries.map((query) => <Query key={query.number} {...query} />)}
      </ol>
    </section>
  );
}
