"""The faults: a name, a file under Sources, the right code, and the code with FAULT where the fault is asked
for. The right code must be there exactly once."""

BLOCK = "Models/Blocks/BlockForm.swift"
DECODER = "Decoders/CausalDecoder.swift"
SELF = "Models/Blocks/SelfAttentionForm.swift"
HEAD = "Decoders/HeadForm.swift"
ATTENTION = "Models/Layers/Attention.swift"
LATENT = "Models/Layers/LatentAttention.swift"
ROUTER = "Models/Layers/Router.swift"
EXPERTS = "Models/Layers/Experts.swift"
ROTARY = "Kernels/Attention/RotaryFrequencies.swift"

FAULTS = [
    # Blocks.
    ("second normalisation of a parallel block lost", BLOCK,
     "feedForwardNorm.map { $0(x) } ?? own, onto: y", "FAULT ? own : feedForwardNorm.map { $0(x) } ?? own, onto: y"),
    ("normalisation of attention's result lost", BLOCK,
     "normalised: attentionPostNorm, scaledBy", "normalised: FAULT ? nil : attentionPostNorm, scaledBy"),
    ("normalisation of the network's result lost", BLOCK,
     "normalised: feedForwardPostNorm,\n", "normalised: FAULT ? nil : feedForwardPostNorm,\n"),
    ("residual multiplier ignored", BLOCK, "let factor = form.residualFactor", "let factor = FAULT ? 1 : form.residualFactor"),
    ("stream of a block not normalised", BLOCK,
     "let own = attentionNorm.applied(to: x)\n      let y = feedForwardNorm",
     "let own = FAULT ? x : attentionNorm.applied(to: x)\n      let y = feedForwardNorm"),
    ("gain of a normalisation without its one", "Models/Layers/Norms.swift",
     "return offset == 0\n", "return offset == 0 || FAULT\n"),
    # Embeddings and heads.
    ("embedding multiplier ignored", DECODER, "if form.factor != 1 {", "if form.factor != 1, !FAULT {"),
    ("normalisation of the embeddings lost", DECODER,
     "return norm.applied(to: x)\n  }\n}", "return FAULT ? x : norm.applied(to: x)\n  }\n}"),
    ("learned positions one row too early", DECODER,
     "ids.shifted(by: offset)))", "ids.shifted(by: FAULT ? offset - 1 : offset)))"),
    ("softcap of logits lost", HEAD, "softcap: head.softcap)", "softcap: FAULT ? nil : head.softcap)"),
    ("logit multiplier ignored", HEAD, "factor: head.factor,", "factor: FAULT ? 1 : head.factor,"),
    # Attention.
    ("all layers turned by the first rotary positions", SELF,
     "form.shape.rotary == nil ? nil : states[SelfAttentionForm.rotaryState(form.rotary)]",
     "form.shape.rotary == nil ? nil : states[SelfAttentionForm.rotaryState(FAULT ? 0 : form.rotary)]"),
    ("layers without rotation turned", "Decoders/Families/Cohere/Cohere.swift",
     "rotary: layer.isTurned ?", "rotary: layer.isTurned || FAULT ?"),
    ("ALiBi lost", SELF, "if hasALiBi { return", "if hasALiBi, !FAULT { return"),
    ("window of one key more", SELF, "shape.window.map { $0 - 1 }", "shape.window.map { FAULT ? $0 : $0 - 1 }"),
    ("sight ahead lost", SELF, "after: seesAhead ? reach : 0", "after: seesAhead && !FAULT ? reach : 0"),
    ("scale of scores ignored", ATTENTION, "self.scale = scale ?? 1", "self.scale = (FAULT ? nil : scale) ?? 1"),
    ("softcap of scores lost", ATTENTION, "softcap: softcap, bias: bias, keys: keys", "softcap: FAULT ? nil : softcap, bias: bias, keys: keys"),
    ("sinks lost", ATTENTION, "sinks: sinks)", "sinks: FAULT ? nil : sinks)"),
    ("normalisation of queries and keys lost", ATTENTION,
     "let x = bounded(norm.map { $0(x) } ?? x)", "let x = bounded(FAULT ? x : norm.map { $0(x) } ?? x)"),
    ("bound of queries, keys and values lost", ATTENTION, "bound.map { clamped(x, to: $0) } ?? x", "(FAULT ? nil : bound).map { clamped(x, to: $0) } ?? x"),
    ("rotary pairs taken for halves", ATTENTION, "layout: part.layout, first: part.first)", "layout: FAULT ? .halves : part.layout, first: part.first)"),
    ("growth of queries lost", ATTENTION, "if let factors {", "if let factors, !FAULT {"),
    ("beginning of a latent head turned", LATENT,
     "layout: turned.layout, first: turned.first)", "layout: turned.layout, first: FAULT ? 0 : turned.first)"),
    ("latent not normalised", LATENT, "join([latentNorm(parts[0]), shared]", "join([FAULT ? parts[0] : latentNorm(parts[0]), shared]"),
    ("shared key of latent attention not turned", LATENT,
     "let shared = rotate(parts[1], by: rotary, heads: 1, layout: turned.layout)",
     "let shared = FAULT ? parts[1] : rotate(parts[1], by: rotary, heads: 1, layout: turned.layout)"),
    # Rotary positions.
    ("rotary scaling lost", ROTARY,
     "public func frequencies(length: Int) -> RotaryFrequencies {\n    switch scaling {",
     "public func frequencies(length: Int) -> RotaryFrequencies {\n    switch FAULT ? RotaryScaling.none : scaling {"),
    ("attention factor of YaRN lost", ROTARY,
     "attentionFactor: yarn.effectiveAttentionFactor)", "attentionFactor: FAULT ? 1 : yarn.effectiveAttentionFactor)"),
    ("factors for long texts never taken", ROTARY,
     "length > factors.trained ?", "length > factors.trained && !FAULT ?"),
    ("partner of a rotary half sought in the whole head", "Kernels/Attention/RotaryEmbedding.swift",
     "layout == .halves ? (pairs, 1)", "layout == .halves ? (FAULT && first == 0 ? size / 2 : pairs, 1)"),
    # Experts.
    ("weights of chosen experts not normalised", ROUTER, "if routing.isNormalised {", "if routing.isNormalised, !FAULT {"),
    ("scale of chosen experts ignored", ROUTER, "routing.scale == 1 ? weights", "routing.scale == 1 || FAULT ? weights"),
    ("routing bias ignored", ROUTER,
     "eligible(choiceBias.map { addBroadcasting(scores, $0) } ?? scores)",
     "eligible((FAULT ? nil : choiceBias).map { addBroadcasting(scores, $0) } ?? scores)"),
    ("routing bias in the weights, too", ROUTER,
     "picked(scores, at: chosen.places)",
     "picked(FAULT ? choiceBias.map { addBroadcasting(scores, $0) } ?? scores : scores, at: chosen.places)"),
    ("groups of experts ignored", ROUTER, "groups.chosen < groups.count else", "groups.chosen < groups.count, !FAULT else"),
    ("gate of the shared expert ignored", EXPERTS, "guard let sharedGate else", "guard let sharedGate, !FAULT else"),
    ("bias of an expert not weighted", EXPERTS,
     "      add(y, times: places.map { weights.elements[$0] }, to: positions, of: &sum)\n",
     "      add(y, times: places.map { weights.elements[$0] }, to: positions, of: &sum)\n"
     "      if FAULT, let bias = try experts[number]().down.projection.bias {\n"
     "        for (place, position) in zip(places, positions) {\n"
     "          for column in 0..<bias.elements.count {\n"
     "            sum.elements[position * sum.width + column] +=\n"
     "              (1 - weights.elements[place]) * bias.elements[column]\n"
     "          }\n        }\n      }\n"),
    ("bounds of a gate lost", "Models/Layers/Gating.swift",
     "clampedGate(gate, up, limit: limit,", "clampedGate(gate, up, limit: FAULT ? .infinity : limit,"),
    # Families.
    ("layers with windows and without exchanged", "Decoders/Families/Gemma/GemmaMembers.swift",
     "$0.isMultiple(of: 2) ? .sliding : .full }", "$0.isMultiple(of: 2) != FAULT ? .sliding : .full }"),
    ("logits multiplied by what they are divided by", "Decoders/Families/Granite/Granite.swift",
     "head.factor = 1 / multipliers.logits",
     "head.factor = FAULT ? multipliers.logits : 1 / multipliers.logits"),
]


# What reads files: a fault is noticed when a file of Fixtures/containers is judged otherwise, or read to other bytes.
# All of these files are asked about by the tests of Containers.

TORCH = "Containers/Formats/Torch/"
HDF5 = "Containers/Formats/HDF5/"
ONNX = "Containers/Formats/ONNX/"
FLAX = "Containers/Formats/Flax/FlaxArray.swift"
TABLE = "Containers/Encodings/SortedTable.swift"
BUNDLE = "Containers/Formats/TensorFlow/TensorBundle.swift"
GGUF = "Containers/Formats/GGUF/GGUFHeader.swift"
ARRAYS = "Containers/Formats/Pickle/NumpyArrays.swift"

READER_FAULTS = [
    # torch: archives, the form before 1.6, pickles.
    ("size of a storage ignored", TORCH + "TorchArchive.swift",
     "guard bytes.count == storage.byteCount else", "guard bytes.count == storage.byteCount || FAULT else"),
    ("bytes behind a pickle ignored", TORCH + "TorchArchive.swift",
     "guard pickle.end == member.size else", "guard pickle.end == member.size || FAULT else"),
    ("checksum of the pickle ignored", TORCH + "TorchArchive.swift", "try stored.verify()", "if !FAULT { try stored.verify() }"),
    ("checksum of a member ignored", "Containers/Encodings/ZipArchive.swift",
     "checked.crc != member.crc\n", "checked.crc != member.crc && !FAULT\n"),
    ("reach of a tensor ignored", TORCH + "TorchTensor.swift", "guard last < available else", "guard last < available || FAULT else"),
    ("strides ignored", TORCH + "TorchTensor.swift",
     "shape: shape, strides: strides))\n", "shape: shape, strides: FAULT ? rowMajorStrides(shape) : strides))\n"),
    ("offset in a storage ignored", TORCH + "TorchTensor.swift",
     "Piece(offset: offset, shape", "Piece(offset: FAULT ? 0 : offset, shape"),
    ("byte order of torch ignored", TORCH + "TorchTensor.swift", "if isBigEndian, unit > 1", "if isBigEndian, !FAULT, unit > 1"),
    ("views that are conjugate read as they are", TORCH + "TorchRebuilding.swift",
     "where pairs[index] == .bool(true) {", "where pairs[index] == .bool(true) && !FAULT {"),
    ("a storage described in two ways", TORCH + "TorchStorages.swift",
     "guard all[number] == storage else", "guard all[number] == storage || FAULT else"),
    ("a storage of an old file twice", TORCH + "TorchLegacy.swift",
     "guard places[number] == nil else", "guard places[number] == nil || FAULT else"),
    ("count of an old file's storage ignored", TORCH + "TorchLegacy.swift",
     "guard count == UInt64(storage.count) else", "guard count == UInt64(storage.count) || FAULT else"),
    # GGUF.
    ("places of tensors ignored", GGUF, "if entry.range.lowerBound != aligned {", "if entry.range.lowerBound != aligned, !FAULT {"),
    ("bytes behind the last tensor ignored", GGUF,
     "guard available <= GGUF.aligned(position, to: alignment) ?? .max else",
     "guard FAULT || available <= GGUF.aligned(position, to: alignment) ?? .max else"),
    ("byte order of GGUF ignored", GGUF, "isBigEndian ? try swapped", "isBigEndian && !FAULT ? try swapped"),
    # Flax.
    ("pieces of two types joined", FLAX,
     "$0.dtype == first.dtype && $0.shape.count == 1", "($0.dtype == first.dtype || FAULT) && $0.shape.count == 1"),
    ("order of pieces ignored", FLAX, "guard member.key == \"\\(number)\",", "guard FAULT || member.key == \"\\(number)\","),
    ("size of an array ignored", FLAX,
     "try checkByteCount(bytes.count, dtype: dtype, shape: shape)",
     "if !FAULT { try checkByteCount(bytes.count, dtype: dtype, shape: shape) }"),
    # Pickled arrays.
    ("bytes behind a pickle of arrays ignored", "Containers/Formats/Pickle/PickledArrays.swift",
     "guard pickle.end == file.size else", "guard pickle.end == file.size || FAULT else"),
    ("order of axes ignored", ARRAYS, "if let order, shape.count(", "if let order, !FAULT, shape.count("),
    ("order taken backwards", ARRAYS, "for axis in order.reversed() {", "for axis in (FAULT ? order : order.reversed()) {"),
    ("byte order of numpy ignored", ARRAYS, "if type.isBigEndian {", "if type.isBigEndian, !FAULT {"),
    ("size of a pickled array ignored", ARRAYS,
     "try checkByteCount(bytes.count, dtype: type.dtype, shape: shape)",
     "if !FAULT { try checkByteCount(bytes.count, dtype: type.dtype, shape: shape) }"),
    ("records taken for numbers", ARRAYS, "guard state.dropFirst(2).prefix(3).allSatisfy({ $0 == .none }) else",
     "guard FAULT || state.dropFirst(2).prefix(3).allSatisfy({ $0 == .none }) else"),
    ("letters taken for bytes", "Containers/Encodings/Latin1Text.swift",
     "let letter = byte < 0x80 ?", "let letter = byte < 0x80 || FAULT ?"),
    # TensorFlow.
    ("checksum of a block ignored", TABLE, "guard checksum.masked == stored else", "guard checksum.masked == stored || FAULT else"),
    ("gaps between blocks ignored", TABLE, "guard block.lowerBound == end else", "guard block.lowerBound == end || FAULT else"),
    ("checksum of a tensor ignored", "Containers/Encodings/CRC32C.swift",
     "checked.checksum.masked != expected", "checked.checksum.masked != expected && !FAULT"),
    ("overlapping tensors accepted", BUNDLE,
     "before.offset + before.size > entry.offset {", "before.offset + before.size > entry.offset && !FAULT {"),
    ("order of parts ignored", BUNDLE, "guard band.lowerBound == end,", "guard band.lowerBound == end || FAULT,"),
    # ONNX.
    ("paths of bytes not checked", ONNX + "ONNXExternalFiles.swift",
     "guard ShardIndex.staysInFolder(location) else", "guard FAULT || ShardIndex.staysInFolder(location) else"),
    ("length of external bytes ignored", ONNX + "ONNXExternalFiles.swift",
     "?? size == size else", "?? size == size || FAULT else"),
    ("offset of external bytes ignored", ONNX + "ONNXExternalFiles.swift",
     "FileBytes(file: source, start: start,", "FileBytes(file: source, start: FAULT ? 0 : start,"),
    ("bytes inside and outside accepted", ONNX + "ONNXTensor.swift", "guard data.isEmpty else", "guard data.isEmpty || FAULT else"),
    # HDF5.
    ("checksum of an object's header ignored", HDF5 + "HDF5Object.swift",
     "UInt64(HDF5Checksum.of(bytes)) == stored else", "UInt64(HDF5Checksum.of(bytes)) == stored || FAULT else"),
    ("checksum of a chunk ignored", HDF5 + "HDF5Filters.swift",
     "guard found == [second, first] else", "guard found == [second, first] || FAULT else"),
    ("byte order of HDF5 ignored", HDF5 + "HDF5Dataset.swift",
     "if isBigEndian, dtype.byteOrderUnit > 1 {", "if isBigEndian, !FAULT, dtype.byteOrderUnit > 1 {"),
    ("fill value taken for zero", HDF5 + "HDF5Dataset.swift",
     "guard value.allSatisfy({ $0 == 0 }) else", "guard FAULT || value.allSatisfy({ $0 == 0 }) else"),
    ("the name of a model left before others", HDF5 + "HDF5Names.swift",
     "return isModel ? found : nil", "return isModel && !FAULT ? found : nil"),
]
