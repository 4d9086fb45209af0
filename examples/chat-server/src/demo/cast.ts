/** The virtual hosts of the demonstration. */
export const DOMAINS = ['capulet.example', 'montague.example'] as const;

/** Who takes part; these passwords protect nothing. */
export const CAST = {
  juliet: { username: 'juliet', domain: 'capulet.example', password: 'wherefore art thou', resource: 'balcony' },
  romeo: { username: 'romeo', domain: 'montague.example', password: 'call me but love', resource: 'orchard' },
  nurse: { username: 'nurse', domain: 'capulet.example', password: 'madam, madam', resource: 'chamber' },
} as const;
