"""Takes the five names of manifest_version 1 out of an archive, from regular entries, and skips all else."""

import os
import shutil
import sys
import tarfile

FILES = ("MANIFEST.json", "config.yaml", "setup.json", "datastore.sql")

archive, target = sys.argv[1:]
with tarfile.open(archive, "r:gz") as tar:
    for entry in tar:
        if not entry.isreg() or not (entry.name in FILES or entry.name.startswith("workspace/")):
            continue
        path = os.path.join(target, entry.name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "xb") as file:
            shutil.copyfileobj(tar.extractfile(entry), file)
