"""The chat page: `/` of the stage, and its files under `/page`."""

from chalice.app import Blueprint, Response

from chalicelib import page as files

page = Blueprint(__name__)


@page.route("/", methods=["GET"])
def page_index() -> Response:
    return files.index(page.current_request)


@page.route("/page/{version}/{name}", methods=["GET"])
def page_file(version: str, name: str) -> Response:
    return files.file(version, name)
