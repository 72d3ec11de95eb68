"""The page and the API as one Blocks app."""

import gradio as gr

from shipdet.extras import require
from shipdet.settings import Settings
from shipdet.ui.api import add_api
from shipdet.ui.events import wire
from shipdet.ui.layout import lay_out
from shipdet.ui.map import STATIC, page_head, serve_static_files
from shipdet.ui.plain_http import AppBlocks
from shipdet.ui.theme import make_theme

#: How long Gradio's copies of uploads and results are kept; the runs themselves stay. Gradio
#: compares only the seconds of an age, not its days, so the value must be less than a day.
UPLOADS_KEPT_S = 79_200


def build_blocks(settings: Settings) -> gr.Blocks:
    """Return the app, ready to launch."""
    serve_static_files()
    blocks = AppBlocks(
        title="shipdet",
        theme=make_theme(),
        css_paths=[STATIC / "page.css"],
        head=page_head(),
        fill_width=True,
        analytics_enabled=False,
        delete_cache=(3600, UPLOADS_KEPT_S),
    )
    with blocks:
        if settings.cluster:
            require("psycopg", "minio", "confluent_kafka", extra="cluster")
            from shipdet.ui.jobs_api import add_jobs_api
            from shipdet.ui.jobs_tab import add_jobs

            with gr.Tabs():
                with gr.Tab("Search", id="search") as search:
                    page = lay_out(settings)
                with gr.Tab("Jobs", id="jobs") as jobs:
                    add_jobs(page, settings, opened=jobs.select, left=search.select)
            add_jobs_api(settings)
        else:
            page = lay_out(settings)
        wire(page, blocks, settings)
        add_api(settings)
    return blocks
