"""Static files by the hash of their content, compressed beforehand: kept by browsers for ever, never stale."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedFiles(CompressedManifestStaticFilesStorage):
    """
    Our modules do not import one another, so no import needs another name; htmx's own extensions, which
    nothing here loads, name files that their package does not carry.
    """

    support_js_module_import_aggregation = False
