"""Records as clients see them: paths relative to the server's root, no token."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from jupyter_mlinfn.model.jobs import JobDetails, JobPage, JobRecord

if TYPE_CHECKING:
    from jupyter_mlinfn.server.paths import Root

Page = TypeVar("Page", bound=JobPage)


def shown(job: JobRecord, root: Root) -> JobRecord:
    """One record; what lies outside the root (submitted in a terminal) keeps its full path."""
    return job.model_copy(
        update={
            "source": root.show(job.source),
            "output": job.output and root.show(job.output),
            "output_folder": root.show(job.output_folder),
        }
    )


def shown_page(page: Page, root: Root) -> Page:
    """One page of records."""
    return page.model_copy(update={"jobs": tuple(shown(job, root) for job in page.jobs)})


def shown_details(details: JobDetails, root: Root) -> JobDetails:
    """All of a job, less the token its processes are recognised by."""
    spec = details.spec
    paths = {
        name: root.show(getattr(spec, name)) for name in ("source", "workdir", "output_folder")
    }
    return details.model_copy(
        update={
            "job": shown(details.job, root),
            "spec": spec.model_copy(update={"token": "", **paths}),
        }
    )
