"""Static files by the hash of their content, compressed beforehand: kept by browsers for ever, never stale."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedFiles(CompressedManifestStaticFilesStorage):
    support_js_module_import_aggregation = True
