import ArgumentParser
import CommandSupport
import Containers
import Kernels
import Models
import SystemPackage
import TensorCore
import TransformerKit

struct Run: Verb {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Run a model on arrays, and write or summarise its outputs.",
    discussion: """
      Inputs are arrays under Hugging Face's names: integers such as input_ids and attention_mask, or \
      numbers. Which ones a model takes is said when it is given another. Without --inputs the \
      built-in probe runs, with --generate at most 64 tokens of it. -q prints the name of the file, or \
      without -o a line with name and shape for each output.

      With --generate the one output is "sequences": the texts, each continued by the likeliest token \
      after the other. A text ends after an end token of the config and is then filled up with the \
      padding token; all ends when every text has. What is not given is filled in as Hugging Face's \
      generate does: the mask from the padding token, positions from the mask, and the start token of \
      a decoder beside an encoder.

      With --beams the likeliest text of a beam search is given in place of that (as transformers 5 \
      searches): tokens' log-probabilities are added up and divided by their number to the power of \
      --length-penalty. "sequences_scores" has the score of each text.

      What generation_config.json says of generation is followed, or where it is not there config.json, as \
      transformers 5 does it: eos_token_id, pad_token_id, forced_bos_token_id, forced_eos_token_id, \
      bad_words_ids, min_length, min_new_tokens, no_repeat_ngram_size, repetition_penalty, suppress_tokens, \
      begin_suppress_tokens, and without --beams num_beams, length_penalty and early_stopping. Other settings \
      that change tokens are named on standard error. --ignore-generation-settings follows those alone that \
      config.json has of end tokens, forced and forbidden ones. How long a text becomes --generate says.

      With --temperature tokens are drawn instead, with the probabilities softmax(scores / temperature); the \
      same --seed draws the same ones. With --draft a smaller model over the same vocabulary proposes tokens, \
      and the model computes several at a time and takes those that it would have chosen \
      (arXiv 2211.17192): the likeliest tokens are those without a draft unless two scores differ by no \
      more than rounding, drawn ones have the same distribution.

      With --text, or --text-file, the input is a text, or with --pair two, as the tokenizer beside the model \
      has it; with --generate what is printed is text. With --pairs all pairs of a file run as one batch, shorter ones \
      filled up with the pad_token, and the scores of each are printed.

      With --top what the scores of words or labels say is printed: the likeliest words of each masked place, \
      or of the place behind a text that the model would continue.

      With --image the input is a picture in JPEG, PNG or WebP, or several, read as the preprocessor_config.json \
      beside the model says, as transformers' processors on Pillow do it. What a model that classifies pictures \
      finds likeliest is printed, and of one that compares them with texts, each of which is a --text, \
      how likely each text is. A model that reads pictures in texts takes one --text with its token for a \
      picture, <image>, where each stands; with --generate it goes on with the text. What prompts a model was trained \
      with, its makers say: no template of conversations is applied.

      With --audio the input is a sound in WAV, FLAC or OGG (read with libsndfile), or several, as the \
      preprocessor_config.json beside the model says; channels are averaged. A sound must have as many samples in a \
      second as the model reads, or --resample makes as many of them (with libsoxr's high quality, as librosa does). \
      With --generate what Whisper writes is printed as text: language, task, lang_to_id, \
      task_to_id, is_multilingual, forced_decoder_ids, no_timestamps_token_id, return_timestamps, \
      max_initial_timestamp_index, suppress_tokens and begin_suppress_tokens of generation_config.json are followed. \
      A sound that is longer than the model reads at once (Whisper: 30 s) is written window by window, each beginning \
      at the last pair of times of the one before, with condition_on_prev_tokens and prev_sot_token_id, and no \
      temperatures to fall back on; --generate says how many tokens a window has at most. Without --generate, and with \
      --beams, --draft or --temperature, the first window is read, and that something is left out is said. \
      Of a model that scores characters or tokens at each frame (wav2vec 2.0, HuBERT, W2V-BERT, Parakeet) the \
      likeliest are printed as a text, repeated ones once and blanks left out, as the vocab.json or tokenizer beside the model writes them; \
      without one their ids.

      A folder that sentence-transformers has saved is read with its modules: the text is read as they say, \
      with the prompt that the folder names, or with that of --prompt, and "sentence_embedding" is its vector.

      Examples:
        tfverify run bert-base/ --text 'Hello, world!'
        tfverify run bert-mlm/ --text 'Hello, [MASK]!' --top 5
        tfverify run minilm/ --text 'A sentence.' --precision f64 -o vector.npz
        tfverify run vit/ --image cat.jpg --top 3
        tfverify run clip/ --image cat.jpg --text 'a cat' --text 'a dog'
        tfverify run llava/ --image cat.jpg --text '<image> What?' --generate 20
        tfverify run whisper-tiny/ --audio hello.wav --generate 100
        tfverify run wav2vec2-base-960h/ --audio hello.flac
        tfverify run bert-base/ --inputs inputs.npz -o outputs.npz
        tfverify run bert-base/ --inputs golden.npz -o out.npz --precision f64
        tfverify run gpt2/ --inputs prompts.npz --generate 20 -o continued.npz
        tfverify run gpt2-xl/ --inputs prompt.npz --generate 20 --draft gpt2/
        tfverify run opus-mt-en-de/ --text 'Good morning.' --generate 40 --beams 4
      """)

  @Argument(help: "The model.")
  var model: FilePath

  @Option(
    help: ArgumentHelp("An npz with the inputs, instead of the built-in probe.", valueName: "npz"))
  var inputs: FilePath?

  @Option(
    help: ArgumentHelp(
      "The input as a text; with --image a text to compare it with (repeatable).",
      valueName: "text"))
  var text: [GivenText] = []

  @Option(
    help: ArgumentHelp(
      "A file with a picture as the input: JPEG, PNG or WebP (repeatable).", valueName: "file"))
  var image: [FilePath] = []

  @Option(
    help: ArgumentHelp(
      "A file with a sound as the input: WAV, FLAC or OGG (repeatable).", valueName: "file"))
  var audio: [FilePath] = []

  @Flag(help: "Give sounds as many samples in a second as the model reads.")
  var resample = false

  @Option(help: ArgumentHelp("A file with the text.", valueName: "file"))
  var textFile: FilePath?

  @Option(help: ArgumentHelp("A second text, for a model that reads pairs.", valueName: "text"))
  var pair: GivenText?

  @Option(
    help: ArgumentHelp(
      "A file with pairs of texts: one in each line, with a tab between them.", valueName: "file"))
  var pairs: FilePath?

  @Option(
    help: ArgumentHelp(
      "Which of the prompts of a model of sentence-transformers stands before the text.",
      valueName: "name"))
  var prompt: String?

  @Option(
    help: ArgumentHelp(
      "Print this many of the likeliest words of each masked place or of the next one, or labels of the text, picture or sound.",
      valueName: "n"))
  var top: Int?

  @Option(
    name: [.short, .long],
    help: ArgumentHelp(
      "The npz to write, or another container by its extension; without it, a summary is printed.",
      valueName: "npz"))
  var output: FilePath?

  @Flag(help: "Also give every hidden state.")
  var hiddenStates = false

  @Option(help: ArgumentHelp("Continue each text by this many tokens.", valueName: "n"))
  var generate: Int?

  @Option(
    help: ArgumentHelp("A smaller model that proposes tokens to --generate.", valueName: "model"))
  var draft: FilePath?

  @Option(
    help: ArgumentHelp(
      "How many tokens the draft proposes at a time, 5 if not said.", valueName: "n"))
  var draftTokens: Int?

  @Option(help: ArgumentHelp("Follow this many continuations of each text.", valueName: "n"))
  var beams: Int?

  @Option(
    help: ArgumentHelp(
      "Above 0 prefers longer texts to shorter ones, 1 if not said.", valueName: "x"))
  var lengthPenalty: Double?

  @Flag(help: "Search no longer when as many continuations have ended as there are beams.")
  var earlyStopping = false

  @Flag(
    help: "Follow no settings of generation but config.json's end, forced and forbidden tokens.")
  var ignoreGenerationSettings = false

  @Option(
    help: ArgumentHelp("Draw tokens from softmax(scores / t), not the likeliest.", valueName: "t"))
  var temperature: Double?

  @Option(help: ArgumentHelp("Which tokens are drawn.", valueName: "n"))
  var seed: UInt64?

  @Option(help: "The precision of the forward pass and of the outputs: f32 or f64.")
  var precision = Precision.f32

  @Flag(name: [.short, .long], help: "Replace an existing output file.")
  var force = false

  @OptionGroup var sourceOptions: SourceOptions
  @OptionGroup var progressOptions: ProgressOptions
  @OptionGroup var memory: MemoryOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard [inputs != nil, !text.isEmpty, textFile != nil, pairs != nil].count(where: \.self) < 2
    else {
      throw ValidationError("of --inputs, --text, --text-file and --pairs only one can be had")
    }
    guard image.isEmpty && audio.isEmpty && generate == nil || pairs == nil else {
      throw ValidationError("--pairs goes with none of --image, --audio and --generate")
    }
    guard image.isEmpty || inputs == nil && textFile == nil else {
      throw ValidationError("--image goes neither with --inputs nor with --text-file")
    }
    guard image.isEmpty || pair == nil && prompt == nil else {
      throw ValidationError("--image goes neither with --pair nor with --prompt")
    }
    guard text.count < 2 || !image.isEmpty else {
      throw ValidationError("several texts go with --image")
    }
    guard audio.isEmpty || inputs == nil && textFile == nil && text.isEmpty && image.isEmpty else {
      throw ValidationError("--audio goes with none of --inputs, --text, --text-file and --image")
    }
    let hasText = !text.isEmpty || textFile != nil
    guard pair == nil || hasText else {
      throw ValidationError("--pair goes with --text")
    }
    guard prompt == nil || hasText else {
      throw ValidationError("--prompt goes with --text")
    }
    guard !resample || !audio.isEmpty else {
      throw ValidationError("--resample goes with --audio")
    }
    guard top == nil || hasText || pairs != nil || !image.isEmpty || !audio.isEmpty else {
      throw ValidationError("--top goes with --text, --pairs, --image or --audio")
    }
    guard (1...1000).contains(top ?? 1) else {
      throw ValidationError("--top must be from 1 to 1000")
    }
    guard top == nil || generate == nil else {
      throw ValidationError("of --top and --generate only one can be had")
    }
    guard draft != nil || draftTokens == nil else {
      throw ValidationError("--draft-tokens goes with --draft")
    }
    guard temperature != nil || seed == nil else {
      throw ValidationError("--seed goes with --temperature")
    }
    guard beams != nil || lengthPenalty == nil && !earlyStopping else {
      throw ValidationError("--length-penalty and --early-stopping go with --beams")
    }
    guard generate != nil || !ignoreGenerationSettings else {
      throw ValidationError("--ignore-generation-settings goes with --generate")
    }
    guard let generate else {
      guard draft == nil, temperature == nil, beams == nil else {
        throw ValidationError("--beams, --draft and --temperature go with --generate")
      }
      return
    }
    guard beams == nil || draft == nil && temperature == nil else {
      throw ValidationError("--beams goes neither with --draft nor with --temperature")
    }
    guard (1...64).contains(beams ?? 1) else {
      throw ValidationError("--beams must be from 1 to 64")
    }
    guard (-10...10).contains(lengthPenalty ?? 1) else {
      throw ValidationError("--length-penalty must be from -10 to 10")
    }
    guard (1...64).contains(draftTokens ?? 5) else {
      throw ValidationError("--draft-tokens must be from 1 to 64")
    }
    if let temperature, !(0.01...100).contains(temperature) {
      throw ValidationError("--temperature must be from 0.01 to 100")
    }
    guard (1...1 << 20).contains(generate) else {
      throw ValidationError("--generate must be from 1 to \(1 << 20)")
    }
    if hiddenStates {
      throw ValidationError("--generate gives no hidden states; leave out --hidden-states")
    }
  }

  func perform() throws -> ExitStatus {
    try prepareArithmetic()
    let model = try Model(model, options: sourceOptions.options)
    common.explain(model)
    if let (sounds, tokenizer) = try longSounds(model) {
      switch precision {
      case .f32: try transcribe(sounds, model, tokenizer, Float.self)
      case .f64: try transcribe(sounds, model, tokenizer, Double.self)
      }
      return .success
    }
    let read = try pictureInputs(model) ?? soundInputs(model) ?? textInputs(model)
    let inputs =
      try read?.inputs ?? inputs.map { try ArrayFile($0).inputs() }
      ?? probe(model.graph)
    _ = try format
    do {
      switch precision {
      case .f32: try run(model, inputs, read?.tokenizer, Float.self)
      case .f64: try run(model, inputs, read?.tokenizer, Double.self)
      }
    } catch let error as CheckpointError where generate != nil && error.category == .unsupported {
      throw error.inFile(displayed(self.model))
    }
    return .success
  }

  /// The text that was given as inputs, and the tokenizer beside the model that made them.
  private func textInputs(
    _ model: Model
  ) throws -> (inputs: ModelInputs, tokenizer: FoundTokenizer?)? {
    if let pairs {
      let texts = try textPairs(ofFile: pairs)
      let found = try tokenizer()
      return (try model.inputs(batch: texts, found), found)
    }
    guard let first = try textFile.map({ try CommandSupport.text(ofFile: $0) }) ?? text.first?.text
    else {
      return nil
    }
    let found = try tokenizer()
    return (try model.inputs(first, pair: pair?.text, prompt: prompt, found), found)
  }

  private func tokenizer() throws -> FoundTokenizer {
    let found = try FoundTokenizer(model)
    if let caveat = found.caveat, !common.quiet { standardError("note: \(caveat)") }
    if common.verbose { standardError("tokenizer \(escaped(displayed(found.file)))") }
    return found
  }

  /// The pictures that were given as inputs, and the texts beside them.
  private func pictureInputs(
    _ model: Model
  ) throws -> (inputs: ModelInputs, tokenizer: FoundTokenizer?)? {
    guard !image.isEmpty else { return nil }
    let processor = try model.pictureProcessor()
    if common.verbose {
      standardError("pictures \(processor.processor.name), \(escaped(processor.file))")
    }
    var inputs = try model.inputs(pictures: image, processor)
    let token = model.graph.architecture.pictureToken
    if token != nil, text.count != 1 {
      throw ValidationError("this model reads pictures in a text: give one --text with --image")
    }
    guard !text.isEmpty else { return (inputs, nil) }
    if let token {
      let found = try tokenizer()
      return (try model.inputs(try text[0].text, token, pictures: inputs, found), found)
    }
    try model.requireTexts()
    let found = try tokenizer()
    inputs.arrays = try model.inputs(texts: text.map { try $0.text }, found).arrays
    return (inputs, found)
  }

  /// The sounds that were given as inputs, and the tokenizer that makes texts of what is written of them, if one is
  /// there.
  private func soundInputs(
    _ model: Model
  ) throws -> (inputs: ModelInputs, tokenizer: FoundTokenizer?)? {
    guard !audio.isEmpty else { return nil }
    let processor = try model.soundProcessor()
    if common.verbose {
      standardError("sounds \(processor.processor.name), \(escaped(processor.file))")
    }
    let read = try model.inputs(sounds: audio, processor, resamples: resample)
    for note in read.notes { standardError("note: \(escaped(note))") }
    guard generate != nil else {
      // A decoder begins with its start token.
      let architecture = model.graph.architecture
      let isContinued = architecture.generation != nil
      return (isContinued ? try architecture.prompt(read.inputs) : read.inputs, nil)
    }
    return (read.inputs, try tokenizerIfThere())
  }

  /// The tokenizer beside the model; without one ids are printed.
  private func tokenizerIfThere() throws -> FoundTokenizer? {
    do {
      return try tokenizer()
    } catch let error as CheckpointError where error.problem.isMissing {
      return nil
    }
  }

  /// The sounds that were given, if one of them is longer than the model reads at once, or is written with times, and all
  /// of it is to be written.
  private func longSounds(
    _ model: Model
  ) throws -> (sounds: [NDArray<Double>], tokenizer: FoundTokenizer?)? {
    guard !audio.isEmpty, generate != nil, beams == nil, draft == nil, temperature == nil,
      model.graph.architecture.generation != nil
    else { return nil }
    let processor = try model.soundProcessor()
    let settings = ignoreGenerationSettings ? nil : try GenerationSettings(of: model)
    guard settings?.search == nil,
      let (sounds, notes) = try model.wholeSounds(audio, processor, resamples: resample),
      settings?.hasTimes ?? false || sounds.contains(where: { $0.width > window(of: model) })
    else { return nil }
    if common.verbose {
      standardError("sounds \(processor.processor.name), \(escaped(processor.file))")
    }
    for note in notes { standardError("note: \(escaped(note))") }
    return (sounds, try tokenizerIfThere())
  }

  private func transcribe<Scalar: ComputeScalar>(
    _ sounds: [NDArray<Double>], _ model: Model, _ tokenizer: FoundTokenizer?, _: Scalar.Type
  ) throws {
    guard !ignoreGenerationSettings else {
      throw CheckpointError(
        .unsupported(
          "a sound that is longer than the model reads at once is written by its times, which only"
            + " generation settings say"),
        file: displayed(self.model), advice: "leave out --ignore-generation-settings")
    }
    let settings = try settings(
      of: model, writesTimes: sounds.contains { $0.width > window(of: model) })
    guard var transcriber = Transcriber<Scalar>(model.graph, settings: settings) else { return }
    let silence = NDArray(shape: [1, sounds[0].rows, transcriber.window], repeating: 0.0)
    let first = ModelInputs([:], numbers: ["input_features": silence])
    try memory.keep(
      VerificationMemory(generating: generate ?? 1, [model.graph], prompt: first, Scalar.self),
      for: self.model)
    var texts: [[Int]] = []
    for sound in sounds {
      texts.append(try transcriber.tokens(of: sound, atMost: generate ?? 1))
    }
    let longest = texts.map(\.count).max() ?? 0
    let filler = transcriber.filler
    let filled = texts.flatMap { text -> [Int] in
      text + Array(repeating: filler, count: longest - text.count)
    }
    let sequences = NDArray(shape: [texts.count, longest], elements: filled)
    try write([Tensor(name: "sequences", ids: sequences)], besides: [model])
    try RunReport(
      file: output.map { displayed($0) }, common: common, tokenizer: tokenizer?.tokenizer
    ).print(sequences: sequences)
  }

  private func window(of model: Model) -> Int {
    Transcriber<Float>(model.graph, settings: GenerationSettings())?.window ?? .max
  }

  /// The built-in probe; of one that is continued as much as leaves room for that.
  private func probe(_ graph: WeightGraph) -> ModelInputs {
    guard let generate else { return graph.probe }
    let room = graph.architecture.generation?.longest.map { max(1, $0 - generate) }
    return graph.probe(longest: min(64, room ?? 64))
  }

  /// The container of the output.
  private var format: ContainerFormat {
    get throws { try output.map { try ContainerFormat.written(at: $0) ?? .npz } ?? .npz }
  }

  private func run<Scalar: ComputeScalar>(
    _ model: Model, _ inputs: ModelInputs, _ tokenizer: FoundTokenizer?, _: Scalar.Type
  ) throws {
    if let generate { return try self.generate(generate, model, inputs, tokenizer, Scalar.self) }
    try memory.keep(
      VerificationMemory(running: model.graph, inputs: inputs, Scalar.self), for: self.model)
    let (bar, progress) = progressOptions.weightProgress(common)
    var pass = try ForwardPass<Scalar>(model.graph, inputs: inputs, progress: progress)
    let outputs = try pass.run(hiddenStates: hiddenStates)
    bar.finish()
    let likeliest = try likeliest(model, outputs, inputs, tokenizer)
    try write(outputs.map { Tensor(name: TensorName($0.name), $0.array) }, besides: [model])
    let transcripts = audio.isEmpty ? nil : try model.transcripts(outputs)
    RunReport(
      file: output.map { displayed($0) }, common: common, tokenizer: tokenizer?.tokenizer,
      isOfSounds: !audio.isEmpty
    ).print(
      outputs, precision: precision, likeliest: likeliest, transcripts: transcripts ?? [],
      scores: pairs == nil ? [] : model.scoresOfTexts(outputs))
  }

  /// The likeliest words or labels, if they are asked for.
  private func likeliest<Scalar: ComputeScalar>(
    _ model: Model, _ outputs: [NamedArray<Scalar>], _ inputs: ModelInputs,
    _ tokenizer: FoundTokenizer?
  ) throws -> [Likeliest] {
    let isRead = model.graph.architecture.pictureToken != nil
    guard image.isEmpty || isRead, audio.isEmpty else {
      let texts = try text.map { try $0.text }
      return model.likeliest(
        outputs, pictures: (image + audio).map { displayed($0) }, texts: texts,
        count: top ?? max(5, texts.count))
    }
    guard let top, let tokenizer, let ids = inputs["input_ids"]?.elements else { return [] }
    do {
      if pairs != nil { return try model.likeliestOfPairs(outputs, count: top) }
      return try model.likeliest(outputs, ids: ids, tokenizer.tokenizer, count: top)
    } catch {
      throw error.inFile(displayed(self.model))
    }
  }

  private func generate<Scalar: ComputeScalar>(
    _ count: Int, _ model: Model, _ inputs: ModelInputs, _ tokenizer: FoundTokenizer?,
    _: Scalar.Type
  ) throws {
    let report = RunReport(
      file: output.map { displayed($0) }, common: common, tokenizer: tokenizer?.tokenizer)
    let settings = try settings(of: model)
    if let search = search(settings) {
      return try self.search(count, model, inputs, search, settings, report, Scalar.self)
    }
    let choice =
      temperature.map { TokenChoice.drawn(temperature: $0, seed: seed ?? 0) } ?? .likeliest
    let draft = try draft.map { try Model($0, options: OpenOptions()) }
    let graphs = [model.graph] + (draft.map { [$0.graph] } ?? [])
    try memory.keep(
      VerificationMemory(generating: count, graphs, prompt: inputs, Scalar.self), for: self.model)
    guard let draft else {
      var generator = try Generator<Scalar>(
        model.graph, prompt: inputs, choice: choice, settings: settings)
      try generator.generate(count)
      try write([Tensor(name: "sequences", ids: generator.sequences)], besides: [model])
      return try report.print(sequences: generator.sequences)
    }
    var generator = try SpeculativeGenerator<Scalar>(
      model.graph, draft: draft.graph, prompt: inputs, draftTokens: draftTokens ?? 5,
      choice: choice,
      settings: settings)
    try generator.generate(count)
    try write([Tensor(name: "sequences", ids: generator.sequences)], besides: [model, draft])
    try report.print(
      sequences: generator.sequences,
      drafting: .init(
        passes: generator.record.passes, proposed: generator.record.proposed,
        accepted: generator.record.accepted))
  }

  /// What the model's files say, and a line for each setting that is not followed.
  private func settings(
    of model: Model, writesTimes: Bool = false
  ) throws -> GenerationSettings {
    if ignoreGenerationSettings { return GenerationSettings() }
    let settings = try GenerationSettings(of: model, writesTimes: writesTimes)
    var unfollowed = settings.unfollowed
    if beams == nil, settings.beams > 1, draft != nil || temperature != nil {
      unfollowed.append("num_beams is \(settings.beams)")
    }
    for setting in unfollowed {
      standardError("note: \(settings.file ?? ""): \(escaped(setting)), which is not followed")
    }
    return settings
  }

  /// The beam search that is asked for here, or by the model's files.
  private func search(_ settings: GenerationSettings) -> BeamSettings? {
    guard let beams else { return draft == nil && temperature == nil ? settings.search : nil }
    return BeamSettings(
      beams: beams, lengthPenalty: lengthPenalty ?? settings.lengthPenalty,
      stopsEarly: earlyStopping || settings.stopsEarly)
  }

  private func search<Scalar: ComputeScalar>(
    _ count: Int, _ model: Model, _ inputs: ModelInputs, _ settings: BeamSettings,
    _ following: GenerationSettings, _ report: RunReport, _: Scalar.Type
  ) throws {
    try memory.keep(
      VerificationMemory(
        generating: count, [model.graph], prompt: settings.prompt(inputs), Scalar.self),
      for: self.model)
    var search = try BeamSearch<Scalar>(
      model.graph, prompt: inputs, settings: settings, following: following)
    try search.generate(count)
    let scores = NDArray(shape: [search.scores.count], elements: search.scores)
    try write(
      [Tensor(name: "sequences", ids: search.sequences), Tensor(name: "sequences_scores", scores)],
      besides: [model])
    try report.print(sequences: search.sequences, scores: search.scores)
  }

  /// - Parameter models: what is read, and never written to.
  private func write(_ tensors: [Tensor], besides models: [Model]) throws {
    guard let output else { return }
    let sources =
      models.flatMap(\.checkpoint.allFiles) + [inputs, textFile, pairs].compactMap(\.self) + image
      + audio
    try CheckpointWriter(
      destination: output, format: try format, overwrite: force, sources: sources
    ).write(tensors: tensors)
  }
}
