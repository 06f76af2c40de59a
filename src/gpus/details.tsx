import * as React from 'react';

import type { Accelerator, GpuHistory } from '../api/types';
import { Button } from '../components/buttons';
import { Skeleton } from '../components/states';
import { HistoryChart } from './chart';
import type { GpusModel } from './model';

const RANGES = [
  { label: '5 min', seconds: 300, every: 5_000 },
  { label: '1 h', seconds: 3600, every: 30_000 },
  { label: '1 day', seconds: 86_400, every: 300_000 }
];

interface IDetailsProps {
  one: Accelerator;
  model: GpusModel;
}

/** History, power, energy, temperature and what the driver calls it. */
export function Details({ one, model }: IDetailsProps): React.ReactElement {
  const [range, setRange] = React.useState(RANGES[0]);
  const [history, setHistory] = React.useState<GpuHistory | null>(null);
  const [error, setError] = React.useState<Error | null>(null);
  const { uuid } = one;
  React.useEffect(() => {
    let wanted = true;
    const read = () => {
      if (model.live.status === 'paused' || document.hidden) {
        return;
      }
      model.history(uuid, range.seconds).then(
        found => wanted && (setHistory(found), setError(null)),
        failure => wanted && setError(failure as Error)
      );
    };
    read();
    const timer = window.setInterval(read, range.every);
    return () => {
      wanted = false;
      window.clearInterval(timer);
    };
  }, [model, uuid, range]);
  return (
    <div className="jp-Mlinfn-gpuDetails">
      <div role="group" aria-label="Time shown" className="jp-Mlinfn-ranges">
        {RANGES.map(one => (
          <Button
            key={one.label}
            aria-pressed={one === range}
            onClick={() => setRange(one)}
          >
            {one.label}
          </Button>
        ))}
      </div>
      {error && <p role="alert">{error.message}</p>}
      {!history && !error && <Skeleton lines={3} />}
      {history && (
        <>
          <HistoryChart history={history} seconds={range.seconds} />
          <p className="jp-Mlinfn-key" aria-hidden="true">
            <span data-line="busy">busy, %</span>
            {one.temperature !== null && (
              <span data-line="temperature">temperature, °C</span>
            )}
          </p>
        </>
      )}
      <dl className="jp-Mlinfn-facts jp-mod-short">
        {facts(one).map(([name, value]) => (
          <React.Fragment key={name}>
            <dt>{name}</dt>
            <dd className="jp-Mlinfn-numbers">{value}</dd>
          </React.Fragment>
        ))}
      </dl>
    </div>
  );
}

/** What is known of an accelerator; what is not is said, never shown as zero. */
export function facts(one: Accelerator): [string, string][] {
  const known = (value: number | null, text: (value: number) => string) =>
    value === null ? 'not available' : text(value);
  const limit = one.power_limit ? ` of ${Math.round(one.power_limit)} W` : '';
  return [
    ['Measured by', one.signal.measurement ?? 'nothing that this card offers'],
    ['Power', known(one.power, power => `${Math.round(power)} W${limit}`)],
    [
      'Energy',
      known(one.energy, energy => `${(energy / 3.6e6).toFixed(2)} kWh`)
    ],
    ['Temperature', known(one.temperature, value => `${Math.round(value)} °C`)],
    ['UUID', one.uuid]
  ];
}
