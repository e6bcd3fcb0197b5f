"""Errors of images and regions of interest, each with the next step."""

from shared.errors import InputError


class EmptyImage(InputError):
    code = "image-empty"
    text = "The image file is empty. Send the file's bytes in the field `image`."


class UnsupportedImage(InputError):
    code = "image-unsupported"
    status = 415
    text = (
        "{problem}. Send a PNG, JPEG, BMP, TIFF, WebP or HEIC image, "
        "or a DICOM file that holds one."
    )


class ImageTooLarge(InputError):
    code = "image-too-large"
    status = 413
    text = (
        "The image unfolds to more than {max_pixels} pixels or to a side above {max_side_px}. "
        "Send a smaller image, or a crop around the nodule."
    )


class ImageTooSmall(InputError):
    code = "image-too-small"
    text = (
        "The image measures {width} x {height} pixels; at least {min_side_px} a side are needed. "
        "Send the original."
    )


class ImageUnreadable(InputError):
    code = "image-unreadable"
    text = (
        "The {format} image cannot be decoded ({problem}). "
        "Export it again from its source and resend it."
    )


class ImageTruncated(InputError):
    code = "image-truncated"
    text = (
        "The {format} image is cut short: it holds {held} bytes of pixels, "
        "and its header (Rows, Columns, Samples per Pixel, Bits Allocated, Number of Frames) "
        "asks for {needed}. "
        "Export it again from its source and resend it."
    )


class ImageDecoderFailed(InputError):
    code = "image-broke-decoder"
    text = (
        "This image could not be opened: {problem}. Other cases are not affected. "
        "Export it from the scanner again, as PNG if you can, and send it as a new case."
    )


class ImageBlank(InputError):
    code = "image-blank"
    text = (
        "The image shows one even grey where the nodule should be. "
        "Send the ultrasound image itself, or another ROI."
    )


class FrameMissing(InputError):
    code = "frame-absent"
    text = (
        "There is no frame {frame} to read: the file holds {frames} that can be. "
        "Count frames from 1, or leave `frame` out for the middle one."
    )


class MaskMismatch(InputError):
    code = "mask-mismatch"
    text = "The mask measures {mask} pixels, its image {image}. Send a mask of the very image."


class MaskUnclear(InputError):
    code = "mask-unclear"
    text = (
        "The mask does not say where the nodule is: {problem}. "
        "Send a mask of two values, the nodule white on black, that leaves the edges black."
    )


class RoiInvalid(InputError):
    code = "roi-invalid"
    text = (
        "The ROI cannot be read: {problem}. "
        'Send {{"box":[x,y,w,h]}} or {{"polygon":[[x,y],[x,y],[x,y],...]}}.'
    )


class RoiTooSmall(InputError):
    code = "roi-too-small"
    text = (
        "The ROI measures {width} x {height} pixels; at least {min_side_px} a side are needed. "
        "Outline the nodule."
    )


class RoiOutsideImage(InputError):
    code = "roi-outside-image"
    text = (
        "The ROI {roi} reaches beyond the image ({width} x {height}). "
        "Send pixel coordinates of the upright image, from its upper left corner; "
        "for those of the pixels as stored, add `roi_space=stored`."
    )
