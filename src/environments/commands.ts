/** The commands of the environments. */
export namespace CommandIDs {
  export const open = 'mlinfn:open-environments';
  export const create = 'mlinfn:create-environment';
  export const collectGarbage = 'mlinfn:free-environment-space';
  export const clone = 'mlinfn:clone-environment';
  export const addPackages = 'mlinfn:add-environment-packages';
  export const removePackages = 'mlinfn:remove-environment-packages';
  export const update = 'mlinfn:update-environment';
  export const history = 'mlinfn:show-environment-history';
  export const compare = 'mlinfn:compare-environment';
  export const lock = 'mlinfn:show-environment-lock';
  export const pack = 'mlinfn:pack-environment';
  export const share = 'mlinfn:share-environment';
  export const kernel = 'mlinfn:toggle-environment-kernel';
  export const imageKernel = 'mlinfn:toggle-environment-image-kernel';
  export const use = 'mlinfn:use-environment-for-job';
  export const remove = 'mlinfn:delete-environment';
}
