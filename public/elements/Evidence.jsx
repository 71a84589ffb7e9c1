import { Tabs, TabsContent, TabsList, TabsTrigger } from '@/components/ui/tabs';
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from '@/components/ui/table';
import { Button } from '@/components/ui/button';
import { Markdown } from '@/components/markdown';
import { ChevronLeft, ChevronRight, Code2, ListChecks, Rows3 } from 'lucide-react';
import { Fragment, useMemo, useState } from 'react';

const ROWS_A_PAGE = 8;

// Chainlit builds an element anew whenever the chat starts or ends a task, so what was opened is remembered here.
function useKept(name, initial) {
  const kept = (window.quaestorKept = window.quaestorKept || {});
  const key = `${props.key}/${name}`;
  const [value, setValue] = useState(key in kept ? kept[key] : initial);
  return [value, (next) => setValue((kept[key] = next))];
}

// A fence longer than any run of backticks within keeps the SQL inside its code block.
function fenced(sql) {
  const longest = Math.max(2, ...(sql.match(/`+/g) || []).map((run) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}sql\n${sql}\n${fence}`;
}

function Sql({ attempts }) {
  const last = attempts[attempts.length - 1];
  return (
    <div className="qs-sql">
      <Markdown>{fenced(last.sql)}</Markdown>
    </div>
  );
}

function Rows({ table }) {
  const [page, setPage] = useKept('page', 0);
  const pages = Math.max(1, Math.ceil(table.cells.length / ROWS_A_PAGE));
  const shown = table.cells.slice(page * ROWS_A_PAGE, (page + 1) * ROWS_A_PAGE);
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
              <TableRow key={i}>
                {cells.map((cell, j) => (
                  <TableCell key={j} className={table.columns[j].numeric ? 'text-right tabular-nums' : ''}>
                    {cell || <span className="qs-quiet">{cell === null ? '–' : '(empty)'}</span>}
                  </TableCell>
                ))}
              </TableRow>
            ))}
          </TableBody>
        </Table>
      </div>
      <div className="flex items-center justify-between pt-2 qs-quiet text-sm">
        <span className="qs-count">{table.note}</span>
        {pages > 1 ? (
          <span className="flex items-center gap-1">
            <Button variant="ghost" size="icon" className="h-7 w-7" aria-label="Previous rows" disabled={page === 0} onClick={() => setPage(page - 1)}>
              <ChevronLeft className="h-4 w-4" />
            </Button>
            page {page + 1} of {pages}
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
      {reading ? (<><dt>Understood as</dt><dd>{reading}</dd></>) : null}
      {assumptions.length ? (<><dt>Assumed</dt><dd>{assumptions.join(' ')}</dd></>) : null}
      {tables.length ? (
        <>
          <dt>Tables found</dt>
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
  const { attempts = [], tables = [], assumptions = [], reading, seconds } = props;
  const table = useMemo(() => props.table && JSON.parse(props.table), [props.table]);
  const [tab, setTab] = useKept('tab', null);
  if (!attempts.length) return null;
  return (
    <section className="qs-evidence" aria-label="Evidence">
      <Tabs value={tab || (table ? 'rows' : 'sql')} onValueChange={setTab}>
        <TabsList className="h-8">
          {table ? <TabsTrigger value="rows" className="h-6"><Rows3 className="h-4 w-4" />Rows</TabsTrigger> : null}
          <TabsTrigger value="sql" className="h-6"><Code2 className="h-4 w-4" />SQL</TabsTrigger>
          <TabsTrigger value="understood" className="h-6"><ListChecks className="h-4 w-4" />Understood</TabsTrigger>
        </TabsList>
        {table ? <TabsContent value="rows"><Rows table={table} /></TabsContent> : null}
        <TabsContent value="sql"><Sql attempts={attempts} /></TabsContent>
        <TabsContent value="understood"><Understood {...{ tables, attempts, reading, assumptions, seconds }} /></TabsContent>
      </Tabs>
    </section>
  );
}
