/** Names as they are compared: without case, accents, titles and punctuation; short forms of given names. Pure. */
import { similarity } from './jaro-winkler.ts';

/** Letters that do not come apart into a letter and a mark. */
const LETTERS: Readonly<Record<string, string>> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  ł: 'l',
  đ: 'd',
  ð: 'd',
  þ: 'th',
};
const TITLES = ['mr', 'mrs', 'ms', 'miss', 'dr', 'prof', 'jr', 'sr', 'ii', 'iii', 'iv', 'phd', 'md'];

/** Usual short forms in English; each row is one name. */
const SHORT_FORMS = `
abigail abby gail|alexander alex sandy xander|andrew andy drew|anthony tony|barbara barb babs|benjamin ben benny|catherine kathryn katherine cathy kathy kate katie
charles charlie chuck|christopher chris kit|christina christine chris tina|cynthia cindy|daniel dan danny|david dave|deborah debra deb debbie
donald don donnie|dorothy dot dottie|edward ed eddie ted ned|elizabeth liz beth betty eliza lisa betsy|frances fran|francis frank|frederick fred freddie
gerald gerry jerry|gregory greg|harold harry hal|henry hank harry|jacob jake|jacqueline jackie|james jim jimmy jamie|jeffrey jeff|jennifer jen jenny|jessica jess jessie
john johnny jack|jonathan jon|joseph joe joey|joshua josh|judith judy|kenneth ken kenny|kimberly kim|lawrence larry|leonard len lenny|margaret maggie meg peggy marge
matthew matt|megan meg|michael mike mick mickey|nancy nan|natalie nat|nathaniel nathan nat nate|nicholas nick|pamela pam|patricia pat patty trish|patrick pat|peter pete|philip phil
rachel rae|rebecca becky becca|richard rick dick rich|robert bob rob bobby|ronald ron|samantha sam|samuel sam sammy|sandra sandy|stephanie steph|stephen steven steve|susan sue suzy
suzanne sue suzy|theodore ted theo|theresa teresa terry tess|thomas tom tommy|timothy tim|victoria vicky tori|vincent vince|virginia ginny|walter walt|william bill will billy liam
zachary zach`
  .split(/[|\n]/)
  .map((row) => row.trim().split(' '))
  .filter(([first]) => first !== '');

/** From here on two spellings are taken for one name. */
const ALIKE = 0.9;

/**
 * @param text - A name.
 * @returns Its words, in their order.
 */
export function wordsOf(text: string): string[] {
  const plain = text
    .toLowerCase()
    .normalize('NFD')
    .replaceAll(/\p{M}/gu, '')
    .replaceAll(/[ßæœøłđðþ]/g, (letter) => LETTERS[letter] ?? letter)
    .replaceAll(/['’`.]/g, '');
  return plain.split(/[^\p{L}\p{N}]+/u).filter((word) => word !== '' && !TITLES.includes(word));
}

/** How two names stand to each other. */
export interface Likeness {
  readonly kind: 'same' | 'alike' | 'different' | 'unknown';
  /** From 0 to 1. */
  readonly similarity: number;
}

const UNKNOWN: Likeness = { kind: 'unknown', similarity: 0 };

/**
 * Compares family names: the whole, or a part of a double name.
 *
 * @param a - All of one person.
 * @param b - All of the other.
 * @returns The best likeness of any two.
 */
export function familyLikeness(a: readonly string[], b: readonly string[]): Likeness {
  return best(a, b, (one, other) => {
    const [words, others] = [wordsOf(one), wordsOf(other)];
    if (words.length === 0 || others.length === 0) {
      return UNKNOWN;
    }
    const whole = likenessOf(words.join(''), others.join(''));
    const isPart = words.some((word) => word.length > 2 && others.includes(word));
    return whole.kind === 'same' || !isPart ? whole : { kind: 'alike', similarity: Math.max(whole.similarity, 0.95) };
  });
}

/**
 * Compares given names by the first, where short forms and initials count.
 *
 * @param a - All of one person.
 * @param b - All of the other.
 * @returns The best likeness of any two.
 */
export function givenLikeness(a: readonly string[], b: readonly string[]): Likeness {
  return best(a, b, (one, other) => {
    const [[word], [another]] = [wordsOf(one), wordsOf(other)];
    if (word === undefined || another === undefined) {
      return UNKNOWN;
    }
    if (SHORT_FORMS.some((row) => row.includes(word) && row.includes(another))) {
      return { kind: 'same', similarity: 1 };
    }
    return word.length === 1 || another.length === 1
      ? word[0] === another[0]
        ? UNKNOWN
        : { kind: 'different', similarity: 0 }
      : likenessOf(word, another);
  });
}

function likenessOf(a: string, b: string): Likeness {
  const alike = similarity(a, b);
  return { kind: alike === 1 ? 'same' : alike >= ALIKE ? 'alike' : 'different', similarity: alike };
}

function best(a: readonly string[], b: readonly string[], compare: (one: string, other: string) => Likeness): Likeness {
  const rank: readonly Likeness['kind'][] = ['unknown', 'different', 'alike', 'same'];
  return a
    .flatMap((one) => b.map((other) => compare(one, other)))
    .reduce(
      (found, each) =>
        rank.indexOf(each.kind) > rank.indexOf(found.kind) || each.similarity > found.similarity ? each : found,
      UNKNOWN
    );
}
