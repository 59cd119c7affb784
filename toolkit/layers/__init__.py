"""Layers for models of your own, each in a file of its own."""

from toolkit.layers.connected_conv import LENET5_C3, ConnectedConv2D
from toolkit.layers.digit_codes import digit_codes
from toolkit.layers.full_softmax import FullSoftmax
from toolkit.layers.global_attention import GlobalAttention
from toolkit.layers.hierarchical_softmax import HierarchicalSoftmax
from toolkit.layers.map_loss import MAPLoss, SmallestPenaltyAccuracy
from toolkit.layers.negative_sampling import NegativeSampling
from toolkit.layers.peephole_lstm import PeepholeLSTM, PeepholeLSTMCell
from toolkit.layers.pretrained_embedding import pretrained_embedding
from toolkit.layers.rbf_output import RBFOutput
from toolkit.layers.sampled_softmax import SampledSoftmax
from toolkit.layers.scaled_tanh import ScaledTanh
from toolkit.layers.tied_dense import TiedDense, TiedModel
from toolkit.layers.trainable_subsampling import TrainableSubsampling2D

__all__ = [
    "LENET5_C3",
    "ConnectedConv2D",
    "FullSoftmax",
    "GlobalAttention",
    "HierarchicalSoftmax",
    "MAPLoss",
    "NegativeSampling",
    "PeepholeLSTM",
    "PeepholeLSTMCell",
    "RBFOutput",
    "SampledSoftmax",
    "ScaledTanh",
    "SmallestPenaltyAccuracy",
    "TiedDense",
    "TiedModel",
    "TrainableSubsampling2D",
    "digit_codes",
    "pretrained_embedding",
]
