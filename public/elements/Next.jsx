import { Button } from '@/components/ui/button';
import { useChatData } from '@chainlit/react-client';
import { CornerDownRight, Info, Loader2 } from 'lucide-react';

const ENDED = {
  declined: 'Not answered, rather than guessed.',
  refused: 'Not allowed.',
  failed: 'Not answered.',
  stopped: 'Stopped, and the statement in the database with it.'
};

function receipt({ status, seconds, analyst }) {
  if (ENDED[status]) return ENDED[status];
  return `Answered in ${seconds} s${analyst ? ` by ${analyst === 'offline analyst' ? 'the offline analyst' : analyst}` : ''}`;
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

function Questions({ questions }) {
  const { loading } = useChatData();
  return (
    <div className="qs-next" aria-label="Next questions">
      {questions.map((question, i) => (
        <Button key={i} variant="outline" disabled={loading} onClick={() => sendUserMessage(question)}>
          <CornerDownRight className="h-4 w-4 shrink-0" aria-hidden="true" />
          <span>{question}</span>
        </Button>
      ))}
    </div>
  );
}

export default function Next() {
  if (props.stage) return <Stage {...props} />;
  const { status, questions = [], assumptions = [], stages = {} } = props;
  const spent = Object.entries(stages).map(([name, seconds]) => `${name} ${seconds} s`).join(' · ');
  return (
    <footer className={`qs-end qs-${status}`}>
      {assumptions.length ? (
        <p className="qs-assumed text-sm">
          <Info className="h-4 w-4 shrink-0" aria-hidden="true" />
          <span>{assumptions.join(' ')}</span>
        </p>
      ) : null}
      {status === 'greeting' ? null : <p className="qs-receipt qs-quiet" title={spent}>{receipt(props)}</p>}
      {questions.length ? <Questions questions={questions} /> : null}
    </footer>
  );
}
