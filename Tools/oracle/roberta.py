"""Writes the fixtures of RoBERTa and its kin: python Tools/oracle/roberta.py [CASE ...]"""

import torch
from transformers import (
    CamembertConfig,
    CamembertForTokenClassification,
    Data2VecTextConfig,
    Data2VecTextForMaskedLM,
    RobertaConfig,
    RobertaForCausalLM,
    RobertaForMaskedLM,
    RobertaForMultipleChoice,
    RobertaForQuestionAnswering,
    RobertaForSequenceClassification,
    RobertaForTokenClassification,
    RobertaModel,
    RobertaPreLayerNormConfig,
    RobertaPreLayerNormForCausalLM,
    RobertaPreLayerNormForMaskedLM,
    RobertaPreLayerNormModel,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
    XLMRobertaXLConfig,
    XLMRobertaXLForCausalLM,
    XLMRobertaXLForMaskedLM,
    XLMRobertaXLModel,
)

import encoders
from bert import choices, explicit_positions, fully_masked, left_padded, states_of_encoder
from encoders import ONE_LAYER, Case, of_2019, of_4, without_architectures

# The padding id is among the random ids, so that positions skip it.
SIZES = encoders.SIZES | {"type_vocab_size": 2, "pad_token_id": 3}
TIED = (
    ("lm_head.decoder.weight", "roberta.embeddings.word_embeddings.weight"),
    ("lm_head.decoder.bias", "lm_head.bias"),
)

CROSSING = ONE_LAYER | {"is_decoder": True, "add_cross_attention": True}

CASES = {
    # Head classes
    "base": Case(RobertaModel, keep=()),
    "base_no_pooler": Case(RobertaModel, ONE_LAYER, build={"add_pooling_layer": False}, keep=()),
    "masked_lm": Case(RobertaForMaskedLM, keep=("logits", "hidden_states.1")),
    "masked_lm_untied": Case(RobertaForMaskedLM, ONE_LAYER | {"tie_word_embeddings": False}),
    "causal_lm": Case(RobertaForCausalLM, {"is_decoder": True}, inputs=left_padded),
    "sequence_classification": Case(
        RobertaForSequenceClassification, ONE_LAYER | {"num_labels": 3, "hidden_act": "relu"}
    ),
    "token_classification": Case(RobertaForTokenClassification, ONE_LAYER | {"num_labels": 5}),
    "question_answering": Case(RobertaForQuestionAnswering, ONE_LAYER, keep=()),
    "multiple_choice": Case(RobertaForMultipleChoice, ONE_LAYER, inputs=choices),
    "cross_attention": Case(RobertaForCausalLM, CROSSING, inputs=states_of_encoder),
    # Inputs
    "position_ids": Case(RobertaModel, ONE_LAYER, inputs=explicit_positions, keep=("pooler_output",)),
    "fully_masked_row": Case(RobertaForMaskedLM, ONE_LAYER, inputs=fully_masked),
    # Files and names
    "bf16": Case(RobertaForMaskedLM, ONE_LAYER, dtype=torch.bfloat16),
    "of_4": Case(RobertaForMaskedLM, ONE_LAYER, edit=of_4("roberta", TIED, pooler="roberta.pooler.dense")),
    "of_2019": Case(RobertaForMaskedLM, ONE_LAYER, edit=of_2019("roberta")),
    "no_architectures": Case(
        RobertaForSequenceClassification, ONE_LAYER, edit=without_architectures
    ),
    # Members
    "camembert": Case(CamembertForTokenClassification, ONE_LAYER, sizes=CamembertConfig),
    "data2vec": Case(Data2VecTextForMaskedLM, ONE_LAYER, sizes=Data2VecTextConfig),
    "xlm_roberta": Case(XLMRobertaForSequenceClassification, sizes=XLMRobertaConfig),
    "pre_norm": Case(RobertaPreLayerNormModel, keep=(), sizes=RobertaPreLayerNormConfig),
    "pre_norm_masked_lm": Case(
        RobertaPreLayerNormForMaskedLM, ONE_LAYER, sizes=RobertaPreLayerNormConfig
    ),
    "pre_norm_cross_attention": Case(
        RobertaPreLayerNormForCausalLM, CROSSING, inputs=states_of_encoder, sizes=RobertaPreLayerNormConfig
    ),
    "xl_cross_attention": Case(
        XLMRobertaXLForCausalLM, CROSSING, inputs=states_of_encoder, sizes=XLMRobertaXLConfig
    ),
    "xl": Case(XLMRobertaXLModel, ONE_LAYER, keep=(), sizes=XLMRobertaXLConfig),
    "xl_masked_lm": Case(XLMRobertaXLForMaskedLM, ONE_LAYER, sizes=XLMRobertaXLConfig),
}


if __name__ == "__main__":
    encoders.main("roberta", RobertaConfig, CASES, SIZES)
