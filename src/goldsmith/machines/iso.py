"""Small ISO images that a machine sees as a CD: seeds of cloud-init, answer files, drivers."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path, PurePosixPath


def write_iso(path: Path, label: str, files: Mapping[str, bytes | Path]) -> None:
    """Write an image with files by their path; it has long names by Joliet and by Rock Ridge.

    Raises `ValueError` for a label or a name that does not fit.
    """
    import pycdlib
    from pycdlib.pycdlibexception import PyCdlibException

    image = pycdlib.PyCdlib()
    try:
        image.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident=label)
        made: dict[PurePosixPath, str] = {PurePosixPath("."): ""}
        for number, (name, content) in enumerate(sorted(files.items())):
            place = PurePosixPath(name)
            for parent in [*place.parents][::-1]:
                if parent not in made:
                    # The names of ISO 9660 itself are short and in capitals; nobody reads them beside the long ones.
                    made[parent] = f"{made[parent.parent]}/D{len(made)}"
                    image.add_directory(made[parent], rr_name=parent.name, joliet_path=f"/{parent}")
            iso_path = f"{made[place.parent]}/F{number}.;1"
            if isinstance(content, Path):
                image.add_file(str(content), iso_path=iso_path, rr_name=place.name, joliet_path=f"/{place}")
            else:
                image.add_fp(io.BytesIO(content), len(content), iso_path=iso_path, rr_name=place.name, joliet_path=f"/{place}")
        image.write(str(path))
        image.close()
    except PyCdlibException as error:
        raise ValueError(str(error)) from error
