import type { Environment, PackedImage } from '../api/types';

/** A packed environment that a layer can lie over. */
export interface IBase {
  name: string;
  image: PackedImage;
}

/** What `one` was cloned from, where that is packed as a whole file now. */
export function baseOf(
  one: Environment,
  all: readonly Environment[]
): IBase | null {
  const [name] = (one.origin ?? '').split('@');
  // as the server looks: among one's own first
  const from = (['own', 'managed'] as const)
    .map(kind => all.find(other => other.kind === kind && other.name === name))
    .find(other => other !== undefined);
  return from && name !== one.name ? packedWhole(from) : null;
}

/** The file of `one`, where it is packed whole as it is now. */
export function packedWhole(one: Environment): IBase | null {
  const whole = one.images.filter(
    image => !image.base && image.lock === one.digest
  );
  const image =
    whole.reverse().find(({ format }) => format === 'squashfs') ?? whole[0];
  return image ? { name: one.name, image } : null;
}
