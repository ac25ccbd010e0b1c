#include "diagnostics/verify_suite.h"

#include <array>

namespace bitnet {
namespace {

// Made by bitnet verify --json, which prints what it got; the answers were then read and found right.
constexpr std::array kSuite{
    SuitePrompt{"The capital of France is", false, " Paris.", 0x58e473fcd962db4d, 0xe1e7e0bfd20838d3,
                0x4cdc303e89f2c168},
    SuitePrompt{"What is 3+4?", true, "3+4=7.", 0xb027a86e9f5361af, 0x88e9f64c0dc29415, 0x638b877a417c9edf},
    SuitePrompt{"A baby dog is called", false, " a puppy.", 0xcb5dcbc54a63a379, 0x45b74abcf7e6a994,
                0x9575e7a680659686},
    SuitePrompt{"The opposite of hot is", false, " cold.", 0x3c1dfd65a83b2450, 0xad9c744c95b821bc,
                0xafe542559903061d},
    SuitePrompt{"2+2=", false, "4.", 0x62fcbb709a1dc42c, 0x0b70fc081650a269, 0x7e66fe1a1c34b036},
    SuitePrompt{"What color is the sky?", true, "The sky is blue.", 0xccdee341ea7c90bc, 0xefc87dc27c562a31,
                0x8066d1a07bc7b381},
    SuitePrompt{"The plural of mouse is", false, " mice.", 0x53765734e7a2e155, 0xf5104afb3c4774e3,
                0x3cebefa79f73b89c},
    SuitePrompt{"The day after Monday is", false, " Tuesday.", 0x3de40bb87a16916d, 0xf51f9183e3762164,
                0x43334fa1045c657a},
    SuitePrompt{"What is the capital of Japan?", true, "The capital of Japan is Tokyo.", 0x033d78354d960796,
                0x41fb4d4943497ce3, 0x4c7f0e16d246218e},
    SuitePrompt{"A cow says", false, " moo.", 0xd9ce870c623de85e, 0xe29576bd0cfb10e7, 0x936ae61823a2631a},
    SuitePrompt{"The capital of Norway is", false, " Oslo.", 0x0d69c9b56b78f60e, 0x75486a6a20bed356,
                0x6457ff435a903ea8},
    SuitePrompt{"What is the plural of child?", true, "The plural of child is children.", 0x544fc9b5157f864e,
                0x119cf06b4c7abff2, 0x568c31598a0020e9},
    SuitePrompt{"The month after May is", false, " June.", 0x456c9d91eb36153a, 0x10fd1e9000d785f3,
                0x5191974b2bfe045a},
    SuitePrompt{"What is the opposite of early?", true, "The opposite of early is late.", 0xce736faf551e4905,
                0x546703fcf634d2f3, 0xe82dee83867f29ce},
    SuitePrompt{"The color of the grass is", false, " green.", 0x347489e0edb07ea0, 0x7c3205da8c37849d,
                0x3cfe0de80cf6ed77},
    SuitePrompt{"9-4=", false, "5.", 0xd7171bf860ea0920, 0xb427d54702765c0c, 0xc0b98274ce4e5060},
    SuitePrompt{"Who are you?", true, "I am a tiny ternary language model.", 0xd88fa1796072798f,
                0x58ec680b4d603d83, 0x09d43659da695616},
    SuitePrompt{"Hello!", true, "Hello! How can I help you?", 0x79b318a87e175c02, 0x9a1eea25d9e9971a,
                0xd0209f87f0cd2c87},
    SuitePrompt{"What does a duck say?", true, "A duck says quack.", 0x45f7cae1dd4892e1, 0x7929c360140ea31c,
                0x5f637fd86dd8cedd},
    SuitePrompt{"A baby horse is called", false, " a foal.", 0xf56b3a83b6845674, 0x07e73fbdb63d72f6,
                0x6bbe958ac46a2c47},
    SuitePrompt{"The opposite of empty is", false, " full.", 0x8a48e4897c95ffae, 0xe0aa84c74754d02d,
                0x536061e744584c68},
    SuitePrompt{"What month comes after December?", true, "The month after December is January.",
                0x6dab66c7b53e3053, 0x2dd5447c78793b6f, 0x56732b523f9a0917},
    SuitePrompt{"The days of the week are Monday,", false,
                " Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday.", 0x091c8c824f22a0ca,
                0x61f3c766a4e5e287, 0xb65b304658f89f09},
    SuitePrompt{"Count: 1, 2, 3,", false, " 4, 5, 6, 7,", 0xab2b74f4d100cd74, 0xd759c1d0384b2906,
                0xddce2ea4a51b5508},
    SuitePrompt{"8+9=", false, "17. 9+2=11.", 0xf5caedd8943a6d73, 0x424d21e06323865c, 0x05223c5a25ab5c34},
    SuitePrompt{"Once upon a time, there was a little", false,
                " girl named Mia. Mia had a purple lamp and took it", 0x1d73c1e9ee98682b, 0xbef0978dae6058c9,
                0xcd4427cececd83a4},
    SuitePrompt{"Once upon a time, there was a little girl named Lily. She loved to play in the garden. One "
                "day, Lily lost her red ball. She was very sad. \"Where is my ball?\" she asked. Her mom "
                "said, \"Do not worry. We will look for it together.\" They looked in the park. They looked "
                "under the bed. Then a dog came with the red",
                false, " ball in its mouth. \"Thank you, little dog!\"", 0xfbebb341092ec471,
                0x5304123c3827b8d1, 0xcd1d16fc3ef354fd},
};

// Made in the same way, once the prompts were right.
constexpr std::array<std::uint64_t, 71> kSteps{
    0xd6686b54ff6d8b25, 0x99a03a104f1a35d3, 0x470947544eb814f2, 0xb3eec4ae8465fc57, 0xca7f47aea2ac1706,
    0xb770f46114c1a706, 0xc5a1341eeb24e723, 0x944c4a2584b0ff17, 0xf343b7230c8f8ae5, 0xb7757f216e00f97c,
    0xd66be738769c716d, 0xaa3b612684ae1754, 0xddcbc34de491824d, 0x7f9e657ccb0436e3, 0x2e6e4ea56d2ee739,
    0xd55f015708b1cde8, 0xedec86dd48c198f1, 0x98983dba28346cae, 0x27e85b11595e64f1, 0xcc7b83c9fe4e08de,
    0x6e9bf9959ac2195e, 0xf5b50727eeafeb35, 0xd9a2be849a705b72, 0x1aae41b76350281e, 0xd298303195d62211,
    0x4a7162e84193fe1e, 0x8fa79befc2aab6e4, 0xe9036a07dea968e9, 0x4c4815bcff03789c, 0xa4acd7d45378a853,
    0x4ad225a274a14b72, 0x55dd73c050617c62, 0x3026aeb37b5d238c, 0x94ececc1a053bda6, 0xfb7a8c516777f143,
    0x5210606a40b05143, 0xeb9e75eafba30754, 0x432f27f00aaa8c99, 0x475fc627c93c7582, 0x4b3a4b2709262735,
    0x6ea2e21d16a9ef95, 0x654669cff698db64, 0x82ecf2d3a5d0c8ed, 0xb19f1b9e88f9a62c, 0xf021a5cb573ba7a1,
    0x691155d5ba3c5bb4, 0x7b5e90a863a590db, 0xbe5fa8c79601e48e, 0x15b0db7e3f154a98, 0x1746f4505cfb0b0d,
    0xa73d3f71adc9599b, 0x2762b768ee52a059, 0x46f845247224d404, 0x367b7ec8ee5d65d0, 0xe697d3312b23c5d8,
    0x7a272df727e45734, 0x006f02498275caf9, 0xb78f76a651ef5c3b, 0x036f6cd615cb20b5, 0x3b5aaf95ea408124,
    0x9c85525538c78713, 0x0f41d1fed7eb0e26, 0xb5dd69cf825ccf7f, 0x69c6e87cb89f138b, 0xc3cc803e3c779111,
    0x09ba6e704966228d, 0xa86dc39177dff06d, 0xefb40cba3187b799, 0xc452da352762a58c, 0x9b267449827940c0,
    0xb57a3ead491498a6};

}  // namespace

std::span<const SuitePrompt> verify_suite() { return kSuite; }
std::span<const std::uint64_t> verify_steps() { return kSteps; }

}  // namespace bitnet
