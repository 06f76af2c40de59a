/** The commands of the jobs. */
export namespace CommandIDs {
  export const submit = 'mlinfn:submit';
  export const openJobs = 'mlinfn:open-jobs';
  export const openJobsTab = 'mlinfn:open-jobs-tab';
  export const openJob = 'mlinfn:open-job';
  export const cancelJob = 'mlinfn:cancel-job';
  export const releaseJob = 'mlinfn:release-job';
  export const rerunJob = 'mlinfn:rerun-job';
  export const rerunExactly = 'mlinfn:rerun-job-exactly';
  export const compareJobs = 'mlinfn:compare-jobs';
  export const editJob = 'mlinfn:edit-and-rerun-job';
  export const deleteJob = 'mlinfn:delete-job';
  export const openOutput = 'mlinfn:open-job-output';
  export const openNotebook = 'mlinfn:open-job-notebook';
  export const openKernel = 'mlinfn:open-job-kernel';
  export const cleanUp = 'mlinfn:clean-up-jobs';
}
