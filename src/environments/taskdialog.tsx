import * as React from 'react';

import type { Task, TaskRequest } from '../api/types';
import { Button } from '../components/buttons';
import { useModel } from '../components/panel';
import { TaskProgress } from '../components/taskprogress';
import { ChangeView } from './changeview';
import { problemsOf, Refusal } from './refusal';
import type { Step, TaskModel } from './taskmodel';
import { changeText, costText } from './words';

/** A button of the last step: what one may want to do next. */
export interface INext {
  label: string;
  run: () => void;
}

interface ITaskDialogProps {
  model: TaskModel;
  title: string;
  /** What is asked of the person. */
  children: React.ReactNode;
  /** What would be done; `null` while something is missing. Absent: the children ask. */
  request?: () => TaskRequest | null;
  /** The word of the last click: `Clone`. */
  act: string;
  /** The children say what would change: there is no preview. */
  direct?: boolean;
  /** Shown below the sentence when it has succeeded. */
  outcome?: (task: Task) => React.ReactNode;
  onClose: () => void;
  next?: (task: Task) => readonly INext[];
}

/** Ask, show what would change, do it, say what is different now. */
export function TaskDialog(props: ITaskDialogProps): React.ReactElement {
  const { model, request } = props;
  useModel(model);
  useModel(model.environments); // what comes next depends on what there is now
  const form = React.useRef<HTMLFormElement>(null);
  useFocus(form, model.step);
  const onSubmit = (event: React.FormEvent) => {
    event.preventDefault();
    const asked = model.step === 'asking' ? request?.() : null;
    if (asked) {
      void (props.direct ? model.begin(asked) : model.look(asked));
    } else if (model.step === 'deciding' && hasWork(model)) {
      void model.act();
    }
  };
  return (
    <form
      ref={form}
      className="jp-Mlinfn-submit"
      aria-label={props.title}
      onSubmit={onSubmit}
    >
      <header className="jp-Mlinfn-headerLine">
        <h2>{props.title}</h2>
      </header>
      <div className="jp-Mlinfn-submitBody jp-Mlinfn-taskBody">
        <div hidden={model.step !== 'asking'}>{props.children}</div>
        <Body {...props} />
      </div>
      <p className="jp-Mlinfn-srOnly" role="status">
        {spoken(model)}
      </p>
      <Buttons {...props} />
    </form>
  );
}

function Body(props: ITaskDialogProps): React.ReactElement | null {
  const { model } = props;
  const { error, preview, step, task } = model;
  if (error && (step === 'asking' || step === 'deciding')) {
    return <Refusal text={error.message} problems={problemsOf(error)} />;
  }
  if (step === 'solving' || step === 'working') {
    const running = step === 'solving' ? preview : task;
    return (
      <>
        {running ? <TaskProgress task={running} /> : <p>Starting…</p>}
        {model.silent && (
          <p className="jp-Mlinfn-hint">
            {model.silent.message} What you see may be old.
          </p>
        )}
        {error && <p className="jp-Mlinfn-problem">{error.message}</p>}
        {step === 'working' && (
          <p className="jp-Mlinfn-hint">
            It goes on when you close this: the panel shows it.
          </p>
        )}
      </>
    );
  }
  const shown = step === 'deciding' ? preview : step === 'ended' ? task : null;
  if (!shown?.result) {
    return null;
  }
  const { result } = shown;
  if (shown.state !== 'succeeded') {
    return (
      <Refusal
        text={result.text}
        problems={result.problems}
        code={result.code}
        calm={shown.state === 'cancelled'}
      />
    );
  }
  return (
    <>
      {(step === 'ended' || !result.change) && (
        <p className="jp-Mlinfn-lead">{result.text}</p>
      )}
      {result.change && (
        <ChangeView change={result.change} withSummary={step === 'deciding'} />
      )}
      {result.image && !result.text.includes(result.image.path) && (
        <p className="jp-Mlinfn-path">{result.image.path}</p>
      )}
      {step === 'ended' && props.outcome?.(shown)}
    </>
  );
}

function Buttons(props: ITaskDialogProps): React.ReactElement {
  const { model, request, onClose } = props;
  const { step } = model;
  const busy = step === 'solving' || step === 'working';
  const next =
    step === 'ended' && model.task?.state === 'succeeded'
      ? (props.next?.(model.task) ?? [])
      : [];
  const again =
    (step === 'deciding' && model.preview?.state !== 'succeeded') ||
    (step === 'ended' && model.task?.state !== 'succeeded');
  return (
    <footer className="jp-Mlinfn-buttons">
      <Button onClick={onClose}>Close</Button>
      {busy && (
        <Button disabled={model.cancelling} onClick={() => void model.cancel()}>
          {model.cancelling ? 'Cancelling…' : 'Cancel'}
        </Button>
      )}
      {(step === 'deciding' || again) && (
        <button
          type="button"
          className={`jp-Mlinfn-button${again ? ' jp-mod-accept' : ''}`}
          onClick={() => model.back()}
        >
          Back
        </button>
      )}
      {step === 'asking' && request && (
        <Button
          type="submit"
          kind="accept"
          disabled={request() === null}
          title={
            props.direct
              ? undefined
              : 'Shows what would change; nothing is changed yet'
          }
        >
          {props.direct ? props.act : 'Preview'}
        </Button>
      )}
      {step === 'deciding' && !again && (
        <Button type="submit" kind="accept" disabled={!hasWork(model)}>
          {props.act}
        </Button>
      )}
      {next.map(({ label, run }) => (
        <Button key={label} onClick={run}>
          {label}
        </Button>
      ))}
    </footer>
  );
}

/** False when the packages asked for are there already. */
function hasWork(model: TaskModel): boolean {
  const change = model.preview?.result?.change;
  if (model.preview?.state !== 'succeeded') {
    return false;
  }
  const nothing =
    change &&
    !change.added.length &&
    !change.changed.length &&
    !change.removed.length;
  return !(nothing && model.request?.action === 'change');
}

/** What screen readers say, once per step. */
function spoken(model: TaskModel): string {
  const { preview, step, task } = model;
  if (step === 'solving') {
    return 'Finding out what would change.';
  }
  if (step === 'deciding' && preview?.state === 'succeeded') {
    const { change, text } = preview.result ?? {};
    return change ? `${changeText(change)} ${costText(change)}` : (text ?? '');
  }
  if (step === 'working') {
    return 'Working.';
  }
  const told = step === 'ended' && task?.state !== 'failed';
  return told ? (task?.result?.text ?? '') : '';
}

/** The first field of a question, then the button of what comes next, has the focus. */
function useFocus(form: React.RefObject<HTMLFormElement>, step: Step): void {
  React.useEffect(() => {
    const found = form.current?.querySelector<HTMLElement>(
      step === 'asking'
        ? '.jp-Mlinfn-taskBody input:not([type=file], :disabled), .jp-Mlinfn-taskBody select, .jp-Mlinfn-buttons button'
        : '.jp-Mlinfn-buttons .jp-mod-accept:not(:disabled), .jp-Mlinfn-buttons button'
    );
    found?.focus();
  }, [form, step]);
}
