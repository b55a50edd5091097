"""The faults: a name, a file under Sources, the right code, and the code with FAULT where the fault is asked
for. The right code must be there exactly once."""

BLOCK = "Models/Decoders/BlockForm.swift"
DECODER = "Models/Decoders/CausalDecoder.swift"
SELF = "Models/Decoders/SelfAttentionForm.swift"
HEAD = "Models/Decoders/HeadForm.swift"
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
     "normalised: attentionPostNorm, onto: stream", "normalised: FAULT ? nil : attentionPostNorm, onto: stream"),
    ("normalisation of the network's result lost", BLOCK,
     "normalised: feedForwardPostNorm, onto: stream", "normalised: FAULT ? nil : feedForwardPostNorm, onto: stream"),
    ("residual multiplier ignored", BLOCK, "let factor = form.residualFactor", "let factor = FAULT ? 1 : form.residualFactor"),
    ("stream of a block not normalised", BLOCK,
     "let own = attentionNorm.applied(to: x)\n      let y = feedForwardNorm",
     "let own = FAULT ? x : attentionNorm.applied(to: x)\n      let y = feedForwardNorm"),
    ("gain of a normalisation without its one", "Models/Layers/Norms.swift",
     "gainOffset: form.gainOffset))", "gainOffset: FAULT ? 0 : form.gainOffset))"),
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
     "let rotary = form.shape.rotary == nil ? nil : states[DecoderForm.rotaryState(form.rotary)]",
     "let rotary = form.shape.rotary == nil ? nil : states[DecoderForm.rotaryState(FAULT ? 0 : form.rotary)]"),
    ("layers without rotation turned", "Models/Families/Cohere/Cohere.swift",
     "rotary: layer.isTurned ?", "rotary: layer.isTurned || FAULT ?"),
    ("ALiBi lost", SELF, "form.hasALiBi ? ScoreBias", "form.hasALiBi && !FAULT ? ScoreBias"),
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
    ("layers with windows and without exchanged", "Models/Families/Gemma/GemmaMembers.swift",
     "$0.isMultiple(of: 2) ? .sliding : .full }", "$0.isMultiple(of: 2) != FAULT ? .sliding : .full }"),
    ("logits multiplied by what they are divided by", "Models/Families/Granite/Granite.swift",
     "head.factor = 1 / multipliers.logits",
     "head.factor = FAULT ? multipliers.logits : 1 / multipliers.logits"),
]
