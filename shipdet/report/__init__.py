"""What a run leaves behind: pictures, tables, map files, the record, the bundle."""

from shipdet.report.folder import check_name, new_folder, prune, run_folder, storage_errors
from shipdet.report.raster import ImageFormat
from shipdet.report.record import Clock, imagery_record
from shipdet.report.run import (
    Run,
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
    "imagery_record",
    "new_folder",
    "prune",
    "read_run",
    "run_folder",
    "storage_errors",
    "write_download",
    "write_imagery",
    "write_large_imagery",
    "write_results",
]
