"""What a run leaves behind: pictures, tables, map files, the record, the bundle."""

from shipdet.report.folder import check_name, new_folder, replaced_folder, run_folder
from shipdet.report.pruning import prune
from shipdet.report.raster import ImageFormat
from shipdet.report.record import Clock, imagery_record
from shipdet.report.run import (
    Run,
    copy_pictures,
    read_run,
    write_download,
    write_imagery,
    write_large_imagery,
    write_results,
)

__all__ = [
    "Clock",
    "ImageFormat",
    "Run",
    "check_name",
    "copy_pictures",
    "imagery_record",
    "new_folder",
    "prune",
    "read_run",
    "replaced_folder",
    "run_folder",
    "write_download",
    "write_imagery",
    "write_large_imagery",
    "write_results",
]
