"""The results of a run: images, tables, map files, the record, and a ZIP on request."""

from shipdet.report.bundling import write_bundle
from shipdet.report.comparing import Comparison, compare
from shipdet.report.filtering import ShipFilter
from shipdet.report.finished_run import PREVIEW, Run, read_run
from shipdet.report.folder import check_new, new_folder, replaced_folder, run_folder, sole_writer
from shipdet.report.html_page import html_report
from shipdet.report.pruning import prune
from shipdet.report.pyramid import cut_tile, layers, top_zoom
from shipdet.report.raster import ImageFormat
from shipdet.report.record import Clock, imagery_record
from shipdet.report.review import Review
from shipdet.report.rewriting import rewrite
from shipdet.report.summary import BatchImage, write_summary
from shipdet.report.water_map import write_map
from shipdet.report.writing import (
    copy_pictures,
    write_download,
    write_imagery,
    write_large_imagery,
    write_results,
)

__all__ = [
    "PREVIEW",
    "BatchImage",
    "Clock",
    "Comparison",
    "ImageFormat",
    "Review",
    "Run",
    "ShipFilter",
    "check_new",
    "compare",
    "copy_pictures",
    "cut_tile",
    "html_report",
    "imagery_record",
    "layers",
    "new_folder",
    "prune",
    "read_run",
    "replaced_folder",
    "rewrite",
    "run_folder",
    "sole_writer",
    "top_zoom",
    "write_bundle",
    "write_download",
    "write_imagery",
    "write_large_imagery",
    "write_map",
    "write_results",
    "write_summary",
]
