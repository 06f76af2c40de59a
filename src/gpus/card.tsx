import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Accelerator } from '../api/types';
import { showBytes, showShare } from '../components/quantities';
import { Sparkline } from '../components/sparkline';
import type { IGpuActions } from './actions';
import { Details } from './details';
import type { GpusModel } from './model';
import { POINTS } from './model';
import type { ICard } from './words';
import { holderText, signalWord } from './words';

interface ICardProps {
  card: ICard;
  model: GpusModel;
  actions: IGpuActions;
}

/** A GPU, and the slices cut from it below. */
export function Card(props: ICardProps): React.ReactElement {
  const { card, model, actions } = props;
  const { gpu } = card;
  return (
    <div
      className="jp-Mlinfn-card"
      role="group"
      aria-label={gpu ? `GPU ${gpu.index}: ${gpu.name}` : 'Slices of a GPU'}
    >
      {gpu && (gpu.cut || card.slices > 0) ? (
        <CutHead card={card} gpu={gpu} model={model} />
      ) : (
        gpu && (
          <Row one={gpu} title={gpu.name} model={model} actions={actions} />
        )
      )}
      {!gpu && <h3>Slices of a GPU</h3>}
      {card.shown.map(one => (
        <div key={one.uuid} className="jp-Mlinfn-slice">
          <Row
            one={one}
            title={one.mig?.profile ?? one.name}
            said={gpu?.problem}
            model={model}
            actions={actions}
          />
        </div>
      ))}
      {card.free.map(({ profile, number }) => (
        <p key={profile} className="jp-Mlinfn-slice jp-Mlinfn-freeSlices">
          <span>{profile}</span> <span>free</span>
          <span className="jp-Mlinfn-numbers">×{number}</span>
        </p>
      ))}
    </div>
  );
}

function CutHead(props: {
  card: ICard;
  gpu: Accelerator;
  model: GpusModel;
}): React.ReactElement {
  const { card, gpu, model } = props;
  const held = card.shown.filter(one => one.holders.length > 0).length;
  const right =
    gpu.state === 'ok' ? `${held}/${card.slices} held` : signalWord(gpu);
  return (
    <>
      <Title
        one={gpu}
        title={`${gpu.name} · cut into ${card.slices}`}
        right={right}
        model={model}
      />
      {gpu.problem && <p className="jp-Mlinfn-problem">{gpu.problem}</p>}
      {model.opened === gpu.uuid && <Details one={gpu} model={model} />}
    </>
  );
}

function Title(props: {
  one: Accelerator;
  title: string;
  right: string;
  model: GpusModel;
}): React.ReactElement {
  const { one, model } = props;
  const open = model.opened === one.uuid;
  const Caret = open ? caretDownIcon : caretRightIcon;
  return (
    <div className="jp-Mlinfn-cardTitle">
      <button
        className="jp-Mlinfn-link"
        aria-expanded={open}
        onClick={() => model.open(open ? null : one.uuid)}
      >
        <Caret.react tag="span" />
        <span>{props.title}</span>
      </button>
      <span className="jp-Mlinfn-numbers" data-signal={one.signal.state}>
        {props.right}
      </span>
    </div>
  );
}

/** One accelerator that can be used: name, the last minute, memory, who holds it. */
function Row(props: {
  one: Accelerator;
  title: string;
  /** What the card above says already. */
  said?: string | null;
  model: GpusModel;
  actions: IGpuActions;
}): React.ReactElement {
  const { one, title, said, model, actions } = props;
  const word = signalWord(one);
  return (
    <div className="jp-Mlinfn-gpu" data-state={one.state}>
      <Title one={one} title={title} right={word} model={model} />
      {one.problem && one.problem !== said && (
        <p className="jp-Mlinfn-problem">{one.problem}</p>
      )}
      {one.state !== 'lost' && (
        <div className="jp-Mlinfn-gpuLine">
          <Sparkline
            values={drawn(model.recent(one.uuid))}
            points={POINTS}
            label={`The last minute; now ${word}`}
          />
          <Facts one={one} />
        </div>
      )}
      <Holders one={one} actions={actions} />
      {model.opened === one.uuid && <Details one={one} model={model} />}
    </div>
  );
}

/** At least one point, so that "not known" is hatched from the beginning. */
function drawn(values: readonly (number | null)[]) {
  return values.some(value => value !== null)
    ? values
    : new Array<null>(POINTS).fill(null);
}

function Facts({ one }: { one: Accelerator }): React.ReactElement {
  const facts = [
    one.memory && showShare(one.memory.used, one.memory.total),
    one.power !== null && `${Math.round(one.power)} W`,
    one.temperature !== null && `${Math.round(one.temperature)} °C`
  ];
  return (
    <span className="jp-Mlinfn-numbers jp-Mlinfn-gpuFacts">
      {facts.filter(Boolean).join(' · ')}
    </span>
  );
}

function Holders(props: {
  one: Accelerator;
  actions: IGpuActions;
}): React.ReactElement | null {
  const { one, actions } = props;
  if (!one.holders.length) {
    return null;
  }
  return (
    <ul className="jp-Mlinfn-holders">
      {one.holders.map((holder, index) => (
        <li key={index}>
          {holder.kernel_id || holder.job_id ? (
            <button
              className="jp-Mlinfn-link"
              title={holder.title}
              onClick={() => actions.open(holder)}
            >
              {holderText(holder)}
            </button>
          ) : (
            <span title={holder.title}>{holderText(holder)}</span>
          )}
          {holder.memory !== null && (
            <span className="jp-Mlinfn-numbers">
              {showBytes(holder.memory)}
            </span>
          )}
        </li>
      ))}
    </ul>
  );
}
