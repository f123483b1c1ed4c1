"""Raw layouts of the field, read as one stream of samples and rejections."""
