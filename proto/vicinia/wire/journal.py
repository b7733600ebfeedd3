"""Bytes of the messages of a run for the journals of both sides; the same message gives the same bytes."""

from __future__ import annotations

from vicinia.wire import secagg

__all__ = [
    "decode_advert",
    "decode_attestation",
    "decode_commitment",
    "decode_dealers",
    "decode_roster_view",
    "decode_share_upload",
    "decode_survivors",
    "decode_unmask_shares",
    "encode_advert",
    "encode_attestation",
    "encode_commitment",
    "encode_dealers",
    "encode_roster_view",
    "encode_share_upload",
    "encode_survivors",
    "encode_unmask_shares",
]

encode_advert, decode_advert = secagg.ADVERT.encode, secagg.ADVERT.decode
encode_roster_view, decode_roster_view = secagg.ROSTER_VIEW.encode, secagg.ROSTER_VIEW.decode
encode_share_upload, decode_share_upload = secagg.SHARE_UPLOAD.encode, secagg.SHARE_UPLOAD.decode
encode_dealers, decode_dealers = secagg.DEALERS.encode, secagg.DEALERS.decode
encode_survivors, decode_survivors = secagg.SURVIVORS.encode, secagg.SURVIVORS.decode
encode_attestation, decode_attestation = secagg.ATTESTATION.encode, secagg.ATTESTATION.decode
encode_commitment, decode_commitment = secagg.COMMITMENT.encode, secagg.COMMITMENT.decode
encode_unmask_shares, decode_unmask_shares = secagg.UNMASK_SHARES.encode, secagg.UNMASK_SHARES.decode
