"""What a command has written, read without the code that wrote it."""

import json

import h5py


def arrays(path):
    with h5py.File(path) as file:
        return {name: item[()] for name, item in file.items() if isinstance(item, h5py.Dataset)} | {
            "groups": sorted(name for name, item in file.items() if isinstance(item, h5py.Group))
        }


def headline(folder, label, analysis):
    return json.loads((folder / label / f"{analysis}.json").read_text())
